//! Grounding of questions about colour, text, motion, change, the whole scene, and of what no expert looks for.

use std::time::Duration;

use super::ground::{Ground, Scene, capital};
use super::nouns::{self, Fit};
use super::question::Attribute;
use super::things::{self, Surety, Thing};
use crate::watch::{Change, ChangeFact, Colour, Motion};

/// Text below this is noise of the reader.
const LEAST_TEXT: f32 = 0.40;
/// Share of the picture that must move before it is spoken of.
const LEAST_MOTION: f32 = 0.03;
/// Colours below this share are not spoken of.
const LEAST_SHARE: f32 = 0.10;
/// A change older than this is not what "what changed" asks for.
const RECENT: Duration = Duration::from_secs(120);

pub(crate) fn colours(scene: &Scene<'_>) -> Vec<Colour> {
    scene.facts.colours.iter().filter(|c| c.share >= LEAST_SHARE).take(3).map(|c| c.colour).collect()
}

fn colour_list(colours: &[Colour]) -> String {
    things::and(&colours.iter().map(|c| c.name().to_owned()).collect::<Vec<_>>())
}

pub(crate) fn colour_of(scene: &Scene<'_>, what: Option<&str>) -> Ground {
    let picture = colours(scene);
    let Some(what) = what else {
        if picture.is_empty() {
            return Ground::not_seen("the colours", "I can't make out the colours");
        }
        let list = colour_list(&picture);
        return Ground::supported(format!("The main colours are {list}."), "The main colours are");
    };
    let found = scene.find(what);
    let Some((_, first)) = found.first() else {
        return match scene.facts.objects.iter().find(|o| nouns::is_person(&o.label)).and_then(|o| o.colour) {
            // What somebody wears is not found by itself, but it is most of what is seen of them.
            Some(c) if is_worn(what) => Ground::partial(
                format!("The {what} itself was not found. The person's main colour is {}.", c.colour.name()),
                format!("I can't make out the {what} itself, but the main colour of the person is"),
            ),
            _ => scene.not_here(what),
        };
    };
    let name = if what == "it" { first.name } else { what };
    let many = found.iter().filter(|(_, t)| t.placed && t.colour.is_some()).count();
    if many > 1 {
        let each: Vec<_> = found.iter().filter_map(|(_, t)| t.colour.map(|c| (c, t.place()))).take(4).collect();
        if each.iter().any(|(c, _)| *c != each[0].0) {
            let parts: Vec<_> = each.iter().map(|(c, place)| format!("the one {place} is {}", c.name())).collect();
            let many = nouns::plural(&nouns::singular(name));
            return Ground::supported(
                format!("There are {} {many}: {}.", nouns::number(each.len()), things::and(&parts)),
                format!("I can see {} {many}: {}", nouns::number(each.len()), parts[0]),
            );
        }
    }
    let plural = nouns::singular(name) != name;
    let be = if plural { "are" } else { "is" };
    match found.iter().find_map(|(_, t)| t.colour) {
        Some(c) => Ground::supported(format!("The {name} {be} {}.", c.name()), format!("The {name} {be}")),
        None if !picture.is_empty() && things::is_whole(first.bbox) => {
            let list = colour_list(&picture);
            let note = format!("The picture is mostly {list}; the colour of the {name} alone is not known.");
            Ground::partial(note, format!("I can't separate the {name} from its background, but the picture is mostly"))
        }
        None => Ground::partial(
            format!("There is {}; its colour is not known.", nouns::with_article(name)),
            format!("I can see the {name}, but I can't tell its colour"),
        ),
    }
}

fn is_worn(what: &str) -> bool {
    const WORN: &[&str] = &[
        "shirt", "t-shirt", "jacket", "coat", "sweater", "jumper", "hoodie", "dress", "clothes", "clothing", "top",
        "pullover", "suit", "blouse", "outfit", "trousers", "pants",
    ];
    WORN.contains(&what) || WORN.contains(&nouns::singular(what).as_str())
}

pub(crate) fn is_colour(scene: &Scene<'_>, what: &str, colour: Colour) -> Ground {
    let found = scene.find(what);
    let Some((_, first)) = found.first() else { return scene.not_here(what) };
    let name = if what == "it" { first.name } else { what };
    match found.iter().find_map(|(_, t)| t.colour) {
        Some(c) if c == colour => {
            Ground::supported(format!("The {name} is {}.", c.name()), format!("Yes, the {name} is"))
        }
        Some(c) => Ground::supported(
            format!("No, the {name} is {}, not {}.", c.name(), colour.name()),
            format!("No, the {name} is"),
        ),
        None => Ground::partial(
            format!("There is {}; its colour is not known.", nouns::with_article(name)),
            format!("I can see the {name}, but I can't tell its colour"),
        ),
    }
}

pub(crate) fn texts(scene: &Scene<'_>) -> Vec<String> {
    let good = scene.facts.texts.iter().filter(|t| t.confidence >= LEAST_TEXT);
    good.map(|t| things::tame(&t.text, 80)).filter(|t| !t.is_empty()).take(6).collect()
}

pub(crate) fn read(scene: &Scene<'_>) -> Ground {
    let texts = texts(scene);
    if texts.is_empty() {
        return Ground::not_seen("readable text", "I don't see any text that I can read");
    }
    let joined = texts.join(" / ");
    Ground::supported(format!("It says \"{joined}\"."), "It says \"").sentences(3)
}

pub(crate) fn who(scene: &Scene<'_>) -> Ground {
    let people = things::objects(scene.facts).iter().filter(|t| t.is_person()).count();
    let labels = things::labels(scene.facts).iter().any(Thing::is_person);
    match people {
        0 if !labels => Ground::not_seen("anyone", "I don't see anyone"),
        0 | 1 => Ground::partial(
            "There is one person. People are never identified.",
            "I can see a person, but I don't identify people",
        ),
        n => Ground::partial(
            format!("There are {} people. People are never identified.", nouns::number(n)),
            format!("I can see {} people, but I don't identify people", nouns::number(n)),
        ),
    }
}

pub(crate) fn motion_of(scene: &Scene<'_>, what: Option<&str>) -> Ground {
    let objects = things::objects(scene.facts);
    let Some(what) = what else {
        let moving: Vec<_> = objects.iter().filter_map(|t| things::motion(t.motion).map(|m| (t, m))).collect();
        return match moving.as_slice() {
            [] if scene.facts.motion >= LEAST_MOTION => Ground::partial(
                "Something moves; what it is, is not known.",
                "Something is moving, but I can't tell what",
            ),
            [] => Ground::supported("Nothing moves.", "Nothing is moving"),
            some => {
                let parts: Vec<_> = some.iter().take(3).map(|(t, m)| format!("the {} is {m}", t.name)).collect();
                Ground::supported(format!("{}.", capital(&things::and(&parts))), format!("The {} is", some[0].0.name))
            }
        };
    };
    let found = scene.find(what);
    let Some((_, thing)) = found.first() else { return scene.not_here(what) };
    let name = if thing.is_person() { "person" } else { thing.name };
    let near: Vec<_> = objects.iter().filter(|t| t.name != thing.name && t.placed).cloned().collect();
    let near = if near.is_empty() { String::new() } else { format!(" Near by: {}.", things::list(&near, 3, false)) };
    let what = things::motion(thing.motion).unwrap_or("not moving much");
    let note = format!("The {name} is {what}.{near}");
    let prefix = if thing.motion == Motion::Still { "I can only tell that the" } else { "I can tell that the" };
    Ground::partial(note, format!("{prefix} {name} is {what}"))
}

fn ago(scene: &Scene<'_>, change: &ChangeFact) -> &'static str {
    match scene.now.since(change.at).as_secs() {
        0..8 => "just now",
        8..45 => "a moment ago",
        _ => "a while ago",
    }
}

/// A change as a clause.
pub(crate) fn clause(change: &Change) -> String {
    match change {
        Change::Appeared { label } => format!("{} came into view", nouns::with_article(label)),
        Change::Disappeared { label } => format!("{} went out of view", nouns::with_article(label)),
        Change::MainChanged { from, to } => {
            format!("the view changed from {} to {}", nouns::with_article(from), nouns::with_article(to))
        }
        Change::TextAppeared { text } => format!("the text \"{}\" came into view", things::tame(text, 60)),
        Change::Light { brighter: true } => "it became brighter".to_owned(),
        Change::Light { brighter: false } => "it became darker".to_owned(),
        Change::SceneCut => "the whole view changed".to_owned(),
    }
}

pub(crate) fn recent(scene: &Scene<'_>) -> Vec<String> {
    let recent = scene.facts.changes.iter().filter(|c| scene.now.since(c.at) <= RECENT).take(3);
    recent.map(|c| format!("{} {}", clause(&c.change), ago(scene, c))).collect()
}

pub(crate) fn change(scene: &Scene<'_>) -> Ground {
    let recent = recent(scene);
    let Some(first) = recent.first() else {
        return Ground::not_seen("a change", "I have not noticed any change");
    };
    let note = format!("{}.", capital(&things::and(&recent)));
    // The first words of the clause are enough to keep the model on the facts.
    let head: Vec<_> = first.split(' ').take(3).collect();
    Ground::supported(note, capital(&head.join(" ")))
}

pub(crate) fn describe(scene: &Scene<'_>) -> Ground {
    let objects = things::objects(scene.facts);
    let main = scene.main();
    let mut seen: Vec<Thing<'_>> =
        main.iter().filter(|t| !t.placed && t.surety > Surety::Unsure).take(2).cloned().collect();
    let named = |t: &Thing<'_>| seen.iter().any(|n| n.fit(t.name).is_some());
    let rest: Vec<_> = objects.iter().filter(|t| !named(t)).cloned().collect();
    seen.extend(rest);
    if seen.is_empty() {
        return match (main.is_empty(), colours(scene)) {
            (false, _) => scene.identify(main, "I can see", "it is"),
            (true, c) if c.is_empty() => Ground::not_seen("anything known", "I can't make out anything that I know"),
            (true, c) => Ground::partial(
                format!("Nothing known can be made out. The picture is mostly {}.", colour_list(&c)),
                "I can't make out anything that I know, but the picture is mostly",
            ),
        };
    }
    let mut note = format!("There is {}.", things::list(&seen, 6, true));
    if let Some(text) = texts(scene).first() {
        note.push_str(&format!(" Text: \"{text}\"."));
    }
    Ground::supported(note, "I can see").sentences(2)
}

pub(crate) fn setting(scene: &Scene<'_>) -> Ground {
    let seen = describe(scene);
    Ground::partial(
        format!("Which place this is, is not known. {}", seen.note),
        "I can't tell which place this is, but I can see",
    )
}

pub(crate) fn light(scene: &Scene<'_>) -> Ground {
    let word = match scene.facts.brightness {
        b if b < 0.25 => "dark",
        b if b < 0.6 => "neither dark nor very bright",
        _ => "bright",
    };
    Ground::supported(format!("The picture is {word}."), "The picture is")
}

pub(crate) fn attribute(scene: &Scene<'_>, attribute: Attribute) -> Ground {
    if attribute == Attribute::Clothing {
        let worn: Vec<_> =
            scene.main().into_iter().filter(|t| t.surety > Surety::Unsure && wearable(t)).take(2).collect();
        if !worn.is_empty() {
            let list = things::list(&worn, 2, false);
            return Ground::partial(format!("Worn: {list}; more is not known."), format!("I can see {list}"));
        }
    }
    let (what, prefix) = match attribute {
        Attribute::Clothing => ("clothes", "I can't tell what clothes are worn"),
        Attribute::Age => ("age", "I can't tell how old anyone or anything is"),
        Attribute::Gender => ("gender", "I can see people, but I can't tell that about them"),
        Attribute::Emotion => ("feelings", "I can't tell how someone feels or looks"),
        Attribute::Looks => ("hair and eyes", "I can't make out such details of a person"),
        Attribute::Brand => ("the brand", "I can't tell the brand"),
        Attribute::Material => ("the material", "I can't tell what it is made of"),
        Attribute::Size => ("the size", "I can't measure sizes or distances"),
        Attribute::Time => ("the time", "I can't tell the time or the date from the picture"),
        Attribute::Weather => ("the weather", "I can't tell the weather or the temperature"),
        Attribute::Price => ("the price", "I can't tell what it costs"),
        Attribute::OtherSense => ("that", "I can't tell sounds, smells or tastes from a picture"),
    };
    Ground::not_seen(what, prefix)
}

fn wearable(t: &Thing<'_>) -> bool {
    const WEARABLE: &[&str] = &[
        "tie",
        "sunglasses",
        "hat",
        "suit",
        "shirt",
        "jersey",
        "sweatshirt",
        "coat",
        "gown",
        "jean",
        "cap",
        "backpack",
    ];
    WEARABLE.iter().any(|w| t.fit(w).is_some_and(|f| f > Fit::Narrower))
}

pub(crate) fn past(scene: &Scene<'_>, what: Option<&str>) -> Ground {
    let gone = |c: &&ChangeFact| match (&c.change, what) {
        (Change::Disappeared { label }, Some(what)) => nouns::fit(what, label, &[]).is_some(),
        (_, None) => scene.now.since(c.at) <= RECENT,
        _ => false,
    };
    if let Some(change) = scene.facts.changes.iter().find(gone) {
        let clause = format!("{} {}", clause(&change.change), ago(scene, change));
        return Ground::supported(format!("{}.", capital(&clause)), capital(&clause));
    }
    if let Some(what) = what
        && let Some((fit, thing)) = scene.find(what).first()
        && *fit > Fit::Narrower
    {
        let here = if thing.placed { thing.place() } else { "in view" };
        return Ground::supported(format!("The {what} is {here} now."), format!("The {what} is"));
    }
    Ground::not_seen("what was before", "I can only tell what the camera shows now, not what it showed before")
}

pub(crate) fn open(scene: &Scene<'_>) -> Ground {
    let seen = describe(scene);
    Ground::partial("Say only what the facts say; if they do not answer the question, say that you can't tell.", "")
        .sentences(if seen.note.is_empty() { 1 } else { 2 })
}
