//! Recorded files.

use std::fs;
use std::path::{Path, PathBuf};

use super::clips::{mean, near, share, solid, write};
use crate::base::{FrameId, MediaTime, RgbFrame};
use crate::decode::{DecodeConfig, DecodeError, FileItem, FileReader, Wanted, encode_jpeg};

const BOTH: Wanted = Wanted { video: true, audio: true };
const ANY: Wanted = Wanted { video: false, audio: false };

fn open(path: &Path, wanted: Wanted) -> Result<FileReader, DecodeError> {
    FileReader::open(path, wanted, &DecodeConfig::default())
}

/// 2 s of a colour and a tone in a container.
fn film(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    let (video, audio, mux) = match name.rsplit('.').next().unwrap() {
        "webm" => ("vp8enc deadline=1", "opusenc", "webmmux"),
        "mkv" => ("x264enc tune=zerolatency speed-preset=ultrafast ! h264parse", "vorbisenc", "matroskamux"),
        "mp4" => ("x264enc speed-preset=ultrafast ! h264parse", "avenc_aac", "mp4mux"),
        "ogv" => ("theoraenc", "vorbisenc", "oggmux"),
        other => panic!("{other}"),
    };
    write(&format!(
        "videotestsrc num-buffers=60 {} ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! {video} ! queue ! {mux} name=m ! filesink location={} \
         audiotestsrc num-buffers=100 samplesperbuffer=960 freq=440 ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! {audio} ! queue ! m.",
        solid(0x20b030),
        path.display()
    ));
    path
}

#[test]
fn picture_and_sound_of_every_container_come_out_in_time_order() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.webm", "a.mkv", "a.mp4", "a.ogv"] {
        let mut reader = open(&film(dir.path(), name), BOTH).unwrap();
        assert!(reader.has_video() && reader.has_audio());
        let (mut frames, mut sound, mut newest, mut back) = (0, Vec::new(), MediaTime::ZERO, 0);
        while let Some(item) = reader.next().unwrap_or_else(|e| panic!("{name}: {e}")) {
            let at = match item {
                FileItem::Frame(f) => {
                    assert!(near(mean(&f), 0x20b030, 10.0), "{name}: {:?}", mean(&f));
                    let want = frames * 1_000_000 / 30;
                    assert!(f.capture.as_micros().abs_diff(want) < 40_000, "{name}: frame {frames} at {}", f.capture);
                    frames += 1;
                    f.capture
                }
                FileItem::Pcm(p) => {
                    assert_eq!(p.samples.len(), 640);
                    sound.extend_from_slice(&p.samples);
                    p.start
                }
            };
            back = back.max(newest.since(at).as_millis());
            newest = newest.max(at);
        }
        assert_eq!(frames, 60, "{name}");
        assert!((31_000..=34_000).contains(&sound.len()), "{name}: {} samples for 2 s", sound.len());
        assert!(share(&sound[3_200..28_800], 440.0) > 0.98, "{name}");
        assert!(back <= 50, "{name}: {back} ms out of order");
        assert!(reader.next().unwrap().is_none(), "after the end comes the end");
    }
}

#[test]
fn sound_alone_and_a_still_picture_are_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let wav = dir.path().join("t.wav");
    write(&format!(
        "audiotestsrc num-buffers=50 samplesperbuffer=441 freq=440 ! audio/x-raw,format=S16LE,rate=22050,channels=1 ! wavenc ! filesink location={}",
        wav.display()
    ));
    let mut reader = open(&wav, ANY).unwrap();
    assert!(!reader.has_video() && reader.has_audio());
    let mut n = 0;
    while let Some(FileItem::Pcm(_)) = reader.next().unwrap() {
        n += 1;
    }
    assert_eq!(n, 25, "1 s is 25 buffers");
    assert!(matches!(open(&wav, BOTH).err(), Some(DecodeError::NoStream { kind: "video", .. })));
    let still = RgbFrame {
        id: FrameId(0),
        width: 322,
        height: 242,
        data: std::iter::repeat_n([0xd0, 0x20, 0x20], 322 * 242).flatten().collect(),
        capture: MediaTime::ZERO,
    };
    let png = dir.path().join("p.png");
    write(&format!(
        "videotestsrc num-buffers=1 {} ! video/x-raw,format=RGB,width=322,height=242 ! pngenc ! filesink location={}",
        solid(0xd02020),
        png.display()
    ));
    fs::write(dir.path().join("p.jpg"), encode_jpeg(&still, 322, 90).unwrap()).unwrap();
    for name in ["p.jpg", "p.png"] {
        let picture = dir.path().join(name);
        let mut reader = open(&picture, Wanted { video: true, audio: false }).unwrap();
        let Some(FileItem::Frame(f)) = reader.next().unwrap() else { panic!("{name}: no frame") };
        assert_eq!((f.width, f.height), (322, 242));
        assert!(near(mean(&f), 0xd02020, 8.0), "{name}: {:?}", mean(&f));
        assert!(reader.next().unwrap().is_none());
        assert!(matches!(open(&picture, BOTH).err(), Some(DecodeError::NoStream { kind: "audio", .. })));
    }
}

#[test]
fn what_is_not_a_video_is_named_for_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let webm = fs::read(film(dir.path(), "whole.webm")).unwrap();
    let mp4 = fs::read(film(dir.path(), "whole.mp4")).unwrap();
    let error = |path: &Path| open(path, ANY).err().unwrap_or_else(|| panic!("{path:?} was opened"));
    assert!(matches!(error(&dir.path().join("no.webm")), DecodeError::FileMissing(_)));
    assert!(matches!(error(&put("empty.webm", b"")), DecodeError::FileEmpty(_)));
    assert!(matches!(error(dir.path()), DecodeError::FileUnreadable { .. }));
    for (name, bytes) in [
        ("text.webm", &b"this is a text file and no video at all, whatever its name says\n".repeat(20)[..]),
        ("noise.mp4", &(0..5_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>()[..]),
        ("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        ("page.html", b"<!DOCTYPE html><html><body>hello</body></html>"),
    ] {
        let e = error(&put(name, bytes));
        assert!(matches!(e, DecodeError::NotMedia { .. }), "{name}: {e}");
        println!("{e}");
    }
    for (name, bytes) in [("head.webm", &webm[..40]), ("cut.mp4", &mp4[..mp4.len() / 2])] {
        let e = error(&put(name, bytes));
        assert!(matches!(e, DecodeError::FileDamaged { .. } | DecodeError::NotMedia { .. }), "{name}: {e}");
        println!("{e}");
    }
}

#[test]
fn a_file_that_breaks_off_gives_what_it_has_and_then_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let webm = fs::read(film(dir.path(), "whole.webm")).unwrap();
    let cut = dir.path().join("cut.webm");
    fs::write(&cut, &webm[..webm.len() * 3 / 10]).unwrap();
    let mut reader = open(&cut, ANY).unwrap();
    let mut frames = 0;
    let end = loop {
        match reader.next() {
            Ok(Some(FileItem::Frame(_))) => frames += 1,
            Ok(Some(FileItem::Pcm(_))) => {}
            Ok(None) => panic!("a file cut to a third ended as if whole, after {frames} frames"),
            Err(e) => break e,
        }
    };
    println!("{end}");
    assert!(frames > 3 && matches!(end, DecodeError::FileDamaged { .. }), "{frames} frames, {end}");
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn a_damaged_file_never_hangs_or_panics() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["d.webm", "d.mp4"] {
        let whole = fs::read(film(dir.path(), name)).unwrap();
        for every in [50, 333, 2_000] {
            let path = dir.path().join(format!("hurt-{name}"));
            let hurt: Vec<u8> =
                whole.iter().enumerate().map(|(i, b)| if i % every == every - 1 { b ^ 0x5a } else { *b }).collect();
            fs::write(&path, hurt).unwrap();
            let mut items = 0;
            let end = open(&path, ANY).and_then(|mut r| {
                while r.next()?.is_some() {
                    items += 1;
                }
                Ok(())
            });
            println!("{name}, every {every}th byte: {items} items, then {end:?}");
            assert!(!matches!(end, Err(DecodeError::FileStalled { .. })), "{name}, every {every}th byte");
        }
    }
}

#[test]
fn a_reader_dropped_in_the_middle_stops() {
    let dir = tempfile::tempdir().unwrap();
    let path = film(dir.path(), "drop.webm");
    for n in 0..5 {
        let mut reader = open(&path, BOTH).unwrap();
        for _ in 0..n {
            reader.next().unwrap();
        }
    }
}
