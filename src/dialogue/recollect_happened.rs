//! What memory has to say about what happened: changes, light and dark, something of a colour.

use super::ground::capital;
use super::ground_more::clause;
use super::past_words::{distinct, stamp};
use super::recollect::{Recall, Recollected, phrase, spoken_of};
use super::things;
use crate::memory::{Order, SeenKind};
use crate::watch::{Change, Colour};

impl Recall<'_> {
    pub(crate) fn changes(&self) -> Recollected {
        let mut all: Vec<_> =
            self.hits.iter().enumerate().flat_map(|(i, h)| h.digest.changes.iter().map(move |c| (i, c))).collect();
        if let Some(at) = self.asked_time() {
            all.sort_by_key(|(_, c)| c.at.since(at).max(at.since(c.at)));
            all.truncate(3);
        }
        all.sort_by_key(|(_, c)| c.at);
        all.dedup_by(|a, b| a.1 == b.1);
        let clauses: Vec<_> = all.iter().rev().take(3).rev().map(|(_, c)| clause(&c.change)).collect();
        if clauses.is_empty() {
            return self.nothing("a change", "I did not notice any change then");
        }
        let list = capital(&things::and(&clauses));
        let cited = distinct(all.iter().rev().take(3).map(|(i, _)| *i));
        Recollected::found(format!("{list}."), list, cited)
    }

    pub(crate) fn of_colour(&self, colour: Colour) -> Recollected {
        let found = self.hits.iter().enumerate().find_map(|(hit, h)| {
            let of = h.digest.things.iter().filter(|s| s.colour == Some(colour) && spoken_of(s));
            // The detector's thing has a colour of its own.
            of.min_by_key(|s| s.kind != SeenKind::Object).map(|seen| (hit, seen))
        });
        let Some((hit, seen)) = found else {
            return self.nothing(
                &format!("anything {}", colour.name()),
                &format!("I did not see anything {} that I know", colour.name()),
            );
        };
        let (phrase, at) = (phrase(seen), self.end_of(seen.first, seen.last));
        let prefix = if self.routed.when {
            format!("I saw {phrase} {}, at {} of our session", self.ago(at), stamp(at))
        } else {
            format!("It was {phrase}")
        };
        Recollected::found(format!("{prefix}, {}.", self.ago(at)), prefix, vec![hit])
    }

    /// Whether and when it became brighter or darker.
    pub(crate) fn light(&self, brighter: bool) -> Recollected {
        let how = if brighter { "brighter" } else { "darker" };
        let light = Change::Light { brighter };
        let all = self.hits.iter().enumerate().flat_map(|(i, h)| h.digest.changes.iter().map(move |c| (i, c)));
        let all = all.filter(|(_, c)| c.change == light).map(|(i, c)| (i, c.at));
        let found = match self.routed.order {
            Order::First => all.min_by_key(|(_, at)| *at),
            Order::Best | Order::Last => all.max_by_key(|(_, at)| *at),
        };
        let Some((hit, at)) = found else {
            return self.nothing(&format!("that it became {how}"), &format!("I did not notice that it became {how}"));
        };
        let yes = if self.routed.when { "It" } else { "Yes, it" };
        let prefix = format!("{yes} became {how} {}, at {} of our session", self.ago(at), stamp(at));
        Recollected::found(format!("{prefix}."), prefix, vec![hit])
    }
}
