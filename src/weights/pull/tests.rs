use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Conversion, Converter, PullOptions, Pulled, Puller};
use crate::weights::{FileState, Manifest, Model, Progress, Silent, Store, WeightsError};

const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// SHA-256 of `ABC`.
const UPPER: &str = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78";

fn plain() -> Model {
    model(&format!(
        r#"
        [[model.artefact]]
        name = "a.bin"
        size = 3
        sha256 = "{ABC}"
        source = [{{ kind = "hub", url = "https://hub.invalid/up/stream.bin" }}]
        "#
    ))
}

fn converted(pinned: &str) -> Model {
    model(&format!(
        r#"
        convert = "upper"
        [[model.artefact]]
        name = "a.bin"
        keep = false
        size = 3
        sha256 = "{ABC}"
        source = []
        [[model.converted]]
        name = "b.bin"
        {pinned}
        "#
    ))
}

fn model(rest: &str) -> Model {
    let head = "[[model]]\nname = \"m\"\nrole = \"llm\"\nlicence = \"MIT\"\nabout = \"\"\n";
    Manifest::parse(&format!("{head}{rest}")).unwrap().models.remove(0)
}

const UPPERCASE: &[Converter] = &[Converter {
    name: "upper",
    run: |c: &Conversion| {
        let text = fs::read(&c.inputs["a.bin"]).map_err(|e| e.to_string())?;
        fs::write(c.out_dir.join("b.bin"), text.to_ascii_uppercase()).map_err(|e| e.to_string())
    },
}];

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("mirror")).unwrap();
        Self { dir }
    }

    fn mirror(&self, name: &str, bytes: &[u8]) -> &Self {
        let path = self.dir.path().join("mirror").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn store(&self) -> Store {
        Store::new(self.dir.path().join("models"))
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.dir.path().join("models/m").join(name)
    }

    fn pull(&self, model: &Model) -> Result<Pulled, WeightsError> {
        Puller::new(&self.store(), self.options(&Silent)).pull(model)
    }

    fn options<'a>(&self, progress: &'a dyn Progress) -> PullOptions<'a> {
        PullOptions { mirrors: vec![self.dir.path().join("mirror")], converters: UPPERCASE, progress }
    }
}

/// Counts the bytes that were read or copied.
#[derive(Default)]
struct Counter(Cell<u64>);

impl Progress for Counter {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, bytes: u64) {
        self.0.set(self.0.get() + bytes);
    }
    fn end(&self) {}
    fn note(&self, _: &str) {}
}

fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|n| n.starts_with(".pull-")).collect()
}

#[test]
fn a_mirror_serves_under_any_of_its_names_and_a_second_pull_does_nothing() {
    for name in ["m/a.bin", "a.bin", "stream.bin"] {
        let place = Place::new();
        place.mirror(name, b"abc");
        assert_eq!(place.pull(&plain()).unwrap(), Pulled::Files(1), "{name}");
        assert_eq!(fs::read(place.installed("a.bin")).unwrap(), b"abc");
        assert_eq!(place.pull(&plain()).unwrap(), Pulled::AlreadyThere);
        assert!(leftovers(place.store().dir()).is_empty());
    }
}

#[test]
fn a_verified_file_is_not_read_again_until_it_is_touched() {
    let place = Place::new();
    place.mirror("a.bin", b"abc").pull(&plain()).unwrap();
    let counter = Counter::default();
    let state = place.store().verify_new(&plain(), &counter).unwrap();
    assert!(state.is_ready() && counter.0.get() == 0);
    place.store().verify(&plain(), &counter).unwrap();
    assert_eq!(counter.0.get(), 3, "verify reads even what it knows");
    fs::write(place.installed("a.bin"), b"abd").unwrap();
    assert_eq!(place.store().inspect(&plain()).word(), "unverified");
    let state = place.store().verify_new(&plain(), &counter).unwrap();
    assert!(matches!(state.files[0].state, FileState::Damaged(_)));
}

#[test]
fn damaged_truncated_and_unknown_files_are_fetched_again_and_good_ones_kept() {
    for bad in [&b"abd"[..], b"ab", b"", b"abcd"] {
        let place = Place::new();
        place.mirror("a.bin", b"abc").pull(&plain()).unwrap();
        fs::write(place.installed("a.bin"), bad).unwrap();
        assert!(place.store().require(&plain(), &Silent).is_err(), "{bad:?} must not pass");
        assert_eq!(place.pull(&plain()).unwrap(), Pulled::Files(1));
        assert_eq!(fs::read(place.installed("a.bin")).unwrap(), b"abc");
    }
    // Put there by hand, never seen by us, but right: kept.
    let place = Place::new();
    fs::create_dir_all(place.store().model_dir(&plain())).unwrap();
    fs::write(place.installed("a.bin"), b"abc").unwrap();
    assert_eq!(place.pull(&plain()).unwrap(), Pulled::AlreadyThere);
}

#[test]
fn when_no_source_serves_every_attempt_is_named_and_what_was_there_stays() {
    let place = Place::new();
    place.mirror("a.bin", b"abd").mirror("stream.bin", b"abcdef");
    fs::create_dir_all(place.store().model_dir(&plain())).unwrap();
    fs::write(place.installed("a.bin"), b"old").unwrap();
    let text = place.pull(&plain()).unwrap_err().to_string();
    for part in ["m/a.bin", "has SHA-256", "has 6 bytes, not 3", "hub.invalid", "--mirror"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert_eq!(fs::read(place.installed("a.bin")).unwrap(), b"old");
    assert!(leftovers(place.store().dir()).is_empty());
}

#[test]
fn a_missing_model_says_which_command_fetches_it() {
    let place = Place::new();
    let text = place.store().require(&plain(), &Silent).unwrap_err().to_string();
    assert!(text.contains("sightline models pull m"), "{text}");
}

#[test]
fn a_conversion_is_installed_only_with_the_declared_hash() {
    let good = converted(&format!("size = 3\nsha256 = \"{UPPER}\""));
    let place = Place::new();
    place.mirror("a.bin", b"abc");
    assert_eq!(place.pull(&good).unwrap(), Pulled::Files(1));
    assert_eq!(fs::read(place.installed("b.bin")).unwrap(), b"ABC");
    assert!(!place.installed("a.bin").exists(), "an input is not kept");

    let wrong = converted(&format!("size = 3\nsha256 = \"{ABC}\""));
    let place = Place::new();
    let e = place.mirror("a.bin", b"abc").pull(&wrong).unwrap_err();
    assert!(e.to_string().contains(UPPER), "{e}");
    assert!(!place.installed("b.bin").exists());
}

#[test]
fn an_unpinned_conversion_is_remembered_as_it_was_made() {
    let place = Place::new();
    place.mirror("a.bin", b"abc");
    let model = converted("");
    place.pull(&model).unwrap();
    assert!(place.store().inspect(&model).is_ready());
    fs::write(place.installed("b.bin"), b"ABX").unwrap();
    assert!(place.store().require(&model, &Silent).is_err());
    assert_eq!(place.pull(&model).unwrap(), Pulled::Files(1));
    assert_eq!(fs::read(place.installed("b.bin")).unwrap(), b"ABC");
}

#[test]
fn convert_works_again_on_request_and_says_when_there_is_nothing_to_convert() {
    let place = Place::new();
    place.mirror("a.bin", b"abc");
    let (store, model) = (place.store(), converted(""));
    place.pull(&model).unwrap();
    assert_eq!(Puller::new(&store, place.options(&Silent)).convert(&model).unwrap(), Pulled::Files(1));
    let e = Puller::new(&store, place.options(&Silent)).convert(&plain()).unwrap_err();
    assert!(e.to_string().contains("no conversion"), "{e}");
}

#[test]
fn an_unknown_conversion_names_itself() {
    let place = Place::new();
    place.mirror("a.bin", b"abc");
    let store = place.store();
    let options = PullOptions { converters: &[], ..place.options(&Silent) };
    let e = Puller::new(&store, options).pull(&converted("")).unwrap_err();
    assert!(e.to_string().contains("`upper`"), "{e}");
}

#[test]
fn what_a_killed_pull_left_is_swept_away() {
    let place = Place::new();
    let left = place.store().dir().join(".pull-dead");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), b"ab").unwrap();
    place.mirror("a.bin", b"abc").pull(&plain()).unwrap();
    assert!(!left.exists());
}

#[test]
fn a_converted_file_in_a_mirror_saves_the_conversion() {
    let place = Place::new();
    place.mirror("m/b.bin", b"ABC");
    let model = converted(&format!("size = 3\nsha256 = \"{UPPER}\""));
    assert_eq!(place.pull(&model).unwrap(), Pulled::Files(1), "there is no other source");
    assert_eq!(fs::read(place.installed("b.bin")).unwrap(), b"ABC");
}
