//! The graph texts and what start-up says of them.

use std::fs;

use crate::base::Codec;
use crate::decode::{DecodeConfig, DecodeError, check};

/// A copy of the real graphs with one replaced.
fn with(name: &str, text: &str) -> (tempfile::TempDir, DecodeConfig) {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("decode");
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines/decode")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    fs::write(to.join(name), text).unwrap();
    let cfg = DecodeConfig { pipelines_dir: Some(dir.path().to_owned()), ..DecodeConfig::default() };
    (dir, cfg)
}

#[test]
fn the_graphs_that_ship_can_be_built() {
    let inventory = check(&DecodeConfig::default()).unwrap();
    println!("{inventory:?}");
    assert!(inventory.has(Codec::Vp8) && inventory.has(Codec::Opus));
    assert!(inventory.version.contains("GStreamer 1."));
}

#[test]
fn a_missing_element_is_named_with_its_plugin_and_package() {
    // An allowed element that Debian 12 does not have.
    let (_dir, cfg) = with("vp8.gst", "appsrc name=src ! dav1ddec ! appsink name=sink");
    match check(&cfg) {
        Err(e @ DecodeError::ElementMissing { .. }) => {
            let text = e.to_string();
            for part in ["vp8", "dav1ddec", "dav1d", "gstreamer1.0-plugins-rs"] {
                assert!(text.contains(part), "{text}");
            }
        }
        Err(other) => panic!("{other}"),
        Ok(_) => println!("skipped: this machine has dav1ddec"),
    }
}

#[test]
fn a_codec_that_clients_can_do_without_is_only_reported() {
    let (_dir, cfg) = with("h264.gst", "appsrc name=src ! nosuchelement ! appsink name=sink");
    let inventory = check(&cfg).unwrap();
    assert!(!inventory.has(Codec::H264));
    let why = &inventory.unavailable.iter().find(|(c, _)| *c == Codec::H264).unwrap().1;
    assert!(matches!(why, DecodeError::ElementRefused { .. }), "{why}");
}

#[test]
fn elements_that_are_not_allowed_are_refused_before_they_exist() {
    for bad in [
        "appsrc name=src ! tcpclientsink host=127.0.0.1",
        "filesrc location=/etc/passwd ! appsink name=sink",
        "appsrc name=src ! vp8dec ! appsink name=sink   filesrc location=x ! udpsink",
        "appsrc name=src ! vp8dec ! appsink name=sink souphttpsrc location=http://127.0.0.1/",
    ] {
        let (_dir, cfg) = with("vp8.gst", bad);
        let e = check(&cfg).unwrap_err();
        assert!(matches!(e, DecodeError::ElementRefused { .. }), "{bad}: {e}");
    }
}

#[test]
fn a_graph_that_breaks_the_grammar_says_how() {
    for (bad, hint) in [
        ("", "empty"),
        ("# only a comment", "empty"),
        ("appsrc name=src ! vp8dec nosuch=1 ! appsink name=sink", "nosuch"),
        ("appsrc ! vp8dec ! appsink name=sink", "appsrc name=src"),
        ("appsrc name=src ! vp8dec ! video/x-raw,width=$wdith ! appsink name=sink", "$wdith"),
        ("appsrc name=src ! opusdec ! videoconvert ! appsink name=sink", "link"),
        ("( appsrc name=src ! vp8dec ! appsink name=sink )", "neither"),
    ] {
        let (_dir, cfg) = with("vp8.gst", bad);
        let e = check(&cfg).unwrap_err().to_string();
        assert!(e.contains("vp8") && e.contains(hint), "{bad}: {e}");
    }
}

#[test]
fn a_pipelines_folder_without_a_graph_is_an_error_that_names_the_path() {
    let dir = tempfile::tempdir().unwrap();
    let cfg = DecodeConfig { pipelines_dir: Some(dir.path().to_owned()), ..DecodeConfig::default() };
    let e = check(&cfg).unwrap_err().to_string();
    assert!(e.contains("vp8.gst") && e.contains(&dir.path().display().to_string()), "{e}");
}
