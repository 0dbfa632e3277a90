//! Needs weights (`SIGHTLINE_MODELS`, default `models/`); says so and passes when they are not there.

use std::path::{Path, PathBuf};

use super::{EmbedError, TextEmbedder};
use crate::base::ErrorClass;
use crate::model::DeviceChoice;
use crate::watch::{EmbedText, EmbedTextError};

/// Where [`REFERENCE`] looks into the vectors.
const PLACES: [usize; 8] = [0, 1, 2, 3, 100, 200, 300, 383];

/// Numbers of the vectors that the published weights give, computed in f64 with numpy from the definition of BERT, not by this code.
/// The first is the example sentence of the model's own page.
const REFERENCE: &[(&str, [f32; 8])] = &[
    ("This is an example sentence", [0.06766, 0.06350, 0.04871, 0.07930, -0.01039, -0.06644, -0.06564, -0.04223]),
    ("a red cup on the table", [0.00092, 0.01203, -0.07335, 0.06958, 0.00521, 0.05568, -0.00957, 0.07836]),
    ("coffee mug", [-0.06295, 0.08693, -0.01763, 0.07575, -0.03339, -0.04488, 0.02134, -0.01089]),
    ("a dog in the garden", [-0.02454, -0.02089, 0.01144, 0.00782, 0.00254, 0.05040, 0.03744, -0.02831]),
    ("Where did I put my keys?", [0.00023, -0.00605, -0.01777, -0.00103, 0.05570, 0.01847, -0.06117, -0.00333]),
    (
        "mainly a tabby cat; text \"EXIT\"; person; said: \"Can you see the Café sign?\"",
        [0.09040, 0.02138, 0.03107, 0.01625, -0.00588, 0.03033, 0.04829, -0.02389],
    ),
    (
        "antidisestablishmentarianism 中文 🙂 3.14%",
        [0.04606, 0.06435, 0.02376, 0.02927, -0.01467, 0.06306, 0.11697, 0.04290],
    ),
];

fn load() -> Option<TextEmbedder> {
    load_on(DeviceChoice::Cpu)
}

fn load_on(device: DeviceChoice) -> Option<TextEmbedder> {
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let dir = models.join("all-minilm-l6-v2");
    if dir.join("model.safetensors").is_file() {
        return Some(TextEmbedder::load(&dir, device).unwrap());
    }
    println!("skipped: {} is not there (set SIGHTLINE_MODELS, or run `sightline models pull`)", dir.display());
    None
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn assert_near(text: &str, got: &[f32], expected: &[f32]) {
    for (a, b) in got.iter().zip(expected) {
        // f16 weights differ by up to 2e-4 from f32 ones; a wrong step anywhere differs by 1e-2 and more.
        assert!((a - b).abs() < 1e-3, "{text}: {got:?}, expected {expected:?}");
    }
}

#[test]
fn vectors_are_those_of_the_published_model() {
    let Some(mut model) = load() else { return };
    assert_eq!((model.dim(), model.name()), (384, "all-minilm-l6-v2"));
    for (text, expected) in REFERENCE {
        let got = model.embed(text).unwrap();
        assert_eq!(got.len(), 384);
        assert!((cosine(&got, &got) - 1.0).abs() < 1e-5, "{text}: not of length 1");
        assert_near(text, &PLACES.map(|i| got[i]), expected);
    }
    // Cut at 256 pieces, the marks included, as the published model does.
    let long = vec!["the cat sat on the mat and then it slept"; 60].join(" ");
    let got = model.embed(&long).unwrap();
    assert_near(
        "long",
        &PLACES.map(|i| got[i]),
        &[0.02649, 0.00709, -0.01541, 0.00895, 0.08103, 0.03529, -0.02786, 0.03290],
    );
}

/// Run where there is a GPU: `make test-cuda`.
#[cfg(feature = "cuda")]
#[test]
fn a_gpu_says_what_the_published_model_says() {
    let Some(mut model) = load_on(DeviceChoice::Cuda(0)) else { return };
    for (text, expected) in REFERENCE {
        let got = model.embed(text).unwrap();
        assert_near(text, &PLACES.map(|i| got[i]), expected);
    }
}

#[test]
fn a_red_cup_is_nearer_to_a_coffee_mug_than_to_a_dog() {
    let Some(mut model) = load() else { return };
    let mut of = |text| model.embed(text).unwrap();
    let (cup, mug, dog) = (of("a red cup on the table"), of("coffee mug"), of("a dog in the garden"));
    let (near, far) = (cosine(&cup, &mug), cosine(&cup, &dog));
    assert!((near - 0.574).abs() < 0.002 && (far - 0.015).abs() < 0.002, "{near} {far}");
    let question = of("What colour was the mug?");
    assert!(cosine(&question, &cup) > cosine(&question, &dog) + 0.2);
}

#[test]
fn a_batch_gives_the_same_vectors_whatever_stands_beside_a_text() {
    let Some(mut model) = load() else { return };
    let texts: Vec<&str> = REFERENCE.iter().map(|r| r.0).cycle().take(19).collect();
    let batch = model.embed_batch(&texts).unwrap();
    assert_eq!(batch.len(), 19);
    for (text, got) in texts.iter().zip(&batch) {
        let alone = model.embed(text).unwrap();
        assert!(cosine(&alone, got) > 0.99999, "{text}");
    }
    assert!(model.embed_batch(&[]).unwrap().is_empty());
}

#[test]
fn text_without_words_is_refused_and_marks_in_a_text_are_only_letters() {
    let Some(mut model) = load() else { return };
    for none in ["", "  \n\t", "\u{0}\u{7}"] {
        let e = model.embed(none).unwrap_err();
        assert!(matches!(e, EmbedTextError::NoWords), "{none:?}: {e}");
        assert_eq!(e.class(), ErrorClass::Invalid);
    }
    assert!(matches!(model.embed_batch(&["a cup", ""]), Err(EmbedTextError::NoWords)));
    assert_eq!(model.pieces.of("[SEP] [PAD]").unwrap().len(), 2 + 6, "[ sep ] and [ pad ], two pieces each at least");
    // A text of megabytes costs what one of the window costs, and a cut never falls into the middle of a character.
    assert_eq!(model.pieces.of(&"é a ".repeat(1 << 20)).unwrap().len(), 256);
    assert_eq!(model.embed(&"\u{1F642}".repeat(9_001)).unwrap().len(), 384);
}

/// Copies the small files of the model and puts `weights` beside them.
fn broken(weights: &[u8], change: impl Fn(String) -> String) -> Option<tempfile::TempDir> {
    let models = std::env::var_os("SIGHTLINE_MODELS").map_or_else(|| PathBuf::from("models"), PathBuf::from);
    let from = models.join("all-minilm-l6-v2");
    let dir = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(from.join("config.json")).ok()?;
    std::fs::write(dir.path().join("config.json"), change(config)).unwrap();
    std::fs::copy(from.join("tokenizer.json"), dir.path().join("tokenizer.json")).ok()?;
    std::fs::write(dir.path().join("model.safetensors"), weights).unwrap();
    Some(dir)
}

fn refusal(dir: &Path) -> String {
    let e = TextEmbedder::load(dir, DeviceChoice::Cpu).err().unwrap();
    assert_eq!(e.class(), ErrorClass::Unavailable);
    e.to_string()
}

#[test]
fn a_missing_or_broken_file_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let e = TextEmbedder::load(empty.path(), DeviceChoice::Cpu).err().unwrap();
    assert!(matches!(&e, EmbedError::Unreadable { file, .. } if file.ends_with("config.json")), "{e}");
    let heads = |c: String| c.replace("\"num_attention_heads\": 12", "\"num_attention_heads\": 0");
    let small = |c: String| c.replace("\"vocab_size\": 30522", "\"vocab_size\": 100");
    let Some(dir) = broken(b"", heads) else { return };
    assert!(refusal(dir.path()).contains("num_attention_heads is 0"));
    let Some(dir) = broken(b"", small) else { return };
    assert!(refusal(dir.path()).contains("tokenizer.json"), "an id beyond the table is found before it is used");
    for weights in [&b""[..], b"\xff\xff\xff\xff\xff\xff\xff\xff{}", b"\x02\0\0\0\0\0\0\0{}"] {
        let Some(dir) = broken(weights, |c| c) else { return };
        assert!(refusal(dir.path()).contains("model.safetensors"));
    }
}
