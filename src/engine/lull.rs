//! When the device computes nothing that somebody waits for: what can wait on other threads does so until then, for the models compute on all cores.

use tokio::sync::watch;

/// Told by the engine before each step: the seat of the session whose urgent work it is.
#[derive(Debug)]
pub(super) struct Press(watch::Sender<Option<usize>>);

impl Default for Press {
    fn default() -> Self {
        Self(watch::channel(None).0)
    }
}

impl Press {
    pub(super) fn set(&self, seat: Option<usize>) {
        self.0.send_if_modified(|pressing| std::mem::replace(pressing, seat) != seat);
    }

    /// For the session in a seat.
    pub(super) fn lull(&self, seat: usize) -> Lull {
        Lull { pressing: self.0.subscribe(), seat }
    }
}

/// What the engine does for others than one session.
#[derive(Debug)]
pub struct Lull {
    pressing: watch::Receiver<Option<usize>>,
    seat: usize,
}

impl Lull {
    /// Of the session in seat 0, and what tells it for whom the device works.
    #[cfg(test)]
    pub(crate) fn told() -> (impl Fn(Option<usize>), Self) {
        let press = Press::default();
        let lull = press.lull(0);
        (move |seat| press.set(seat), lull)
    }

    /// Comes when the device computes no urgent work of another session: at once, if it does not now, or is there no more.
    pub async fn comes(&mut self) {
        let seat = self.seat;
        let _ = self.pressing.wait_for(|pressing| pressing.is_none_or(|of| of == seat)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::Press;

    #[test]
    fn a_session_waits_for_urgent_work_of_others_and_not_for_its_own() {
        let press = Press::default();
        let (mut one, mut other) = (press.lull(1), press.lull(2));
        assert!(one.comes().now_or_never().is_some());
        press.set(Some(2));
        assert!(one.comes().now_or_never().is_none() && other.comes().now_or_never().is_some());
        press.set(Some(1));
        assert!(one.comes().now_or_never().is_some() && other.comes().now_or_never().is_none());
        press.set(Some(1));
        drop(press);
        assert!(other.comes().now_or_never().is_some(), "an engine that has stopped keeps nobody waiting");
    }
}
