//! What can go: whole layers by how little they change what passes through, feed-forward channels and query heads by how little they add.
//!
//! Pure. Sources: "ShortGPT" (arXiv:2403.03853), block influence; "Wanda" (arXiv:2306.11695), weight times activation, here for whole channels of the feed-forward block. Ours: a
//! channel's score is the mean square of its activation times the squared length of its column in the way down, which is the energy that it adds on average; a
//! head's is the sum of its channels' before the matrix behind attention.

/// The layers to drop, rising: the `count` with the least influence. The first and the last always stay.
#[must_use]
pub fn layers_to_drop(influence: &[f32], count: usize) -> Vec<usize> {
    let inner = 1..influence.len().saturating_sub(1);
    let mut order: Vec<usize> = inner.collect();
    order.sort_by(|a, b| influence[*a].total_cmp(&influence[*b]).then(a.cmp(b)));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// The channels that stay, rising: the `keep` with the highest score.
#[must_use]
pub fn channels_to_keep(score: &[f32], keep: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|a, b| score[*b].total_cmp(&score[*a]).then(a.cmp(b)));
    order.truncate(keep);
    order.sort_unstable();
    order
}

/// The query heads that stay, rising, when `drop` of those that share a kv head go from each such group: the ones with the lowest score. One of each group always stays.
#[must_use]
pub fn heads_to_keep(score: &[f32], groups: usize, drop: usize) -> Vec<usize> {
    let each = score.len() / groups.max(1);
    let keep = each.saturating_sub(drop).max(1);
    let of = |group: usize| {
        channels_to_keep(&score[group * each..][..each], keep).into_iter().map(move |h| group * each + h)
    };
    (0..groups).flat_map(of).collect()
}

/// How many of `channels` stay when `share` of them go: a multiple of `step`, at least one step.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count"
)]
pub fn channels_left(channels: usize, share: f32, step: usize) -> usize {
    let wanted = (channels as f32 * (1.0 - share.clamp(0.0, 1.0))).round() as usize;
    (wanted.div_ceil(step) * step).clamp(step.min(channels), channels)
}

#[cfg(test)]
mod tests {
    use super::{channels_left, channels_to_keep, heads_to_keep, layers_to_drop};

    #[test]
    fn the_least_go_and_the_ends_stay() {
        let influence = [0.0, 0.3, 0.1, 0.2, 0.5, 0.0];
        assert_eq!(layers_to_drop(&influence, 2), [2, 3]);
        assert_eq!(layers_to_drop(&influence, 99), [1, 2, 3, 4]);
        assert!(layers_to_drop(&[0.1, 0.2], 1).is_empty());
        assert_eq!(channels_to_keep(&[0.5, 0.1, 0.9, 0.1], 3), [0, 1, 2]);
    }

    #[test]
    fn each_group_loses_as_many_heads() {
        let score = [0.9, 0.1, 0.8, 0.3, 0.2, 0.4];
        assert_eq!(heads_to_keep(&score, 2, 1), [0, 2, 3, 5]);
        assert_eq!(heads_to_keep(&score, 2, 0), [0, 1, 2, 3, 4, 5]);
        assert_eq!(heads_to_keep(&score, 2, 9), [0, 5]);
        assert_eq!(heads_to_keep(&score, 6, 1), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn channels_come_out_even() {
        assert_eq!(channels_left(4864, 0.0, 256), 4864);
        assert_eq!(channels_left(4864, 0.1, 256), 4608);
        assert_eq!(channels_left(4864, 1.0, 256), 256);
        assert_eq!(channels_left(100, 0.5, 256), 100);
    }
}
