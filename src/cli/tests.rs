use clap::{CommandFactory, Parser};

use super::args::Cli;
use super::load;

fn parse(words: &[&str]) -> Cli {
    Cli::try_parse_from([&["sightline"], words].concat()).unwrap()
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn flags_reach_the_configuration_before_and_after_the_command() {
    for words in [
        &["--bind", "127.0.0.1:9", "--set", "watch.max_fps=1", "serve"][..],
        &["serve", "--bind", "127.0.0.1:9", "--set", "watch.max_fps=1"],
        &["--bind=127.0.0.1:9", "--set=watch.max_fps = 1"],
    ] {
        let config = load(&parse(words), Vec::new()).unwrap().config;
        assert_eq!(config.server.bind.port(), 9, "{words:?}");
        assert!((config.watch.max_fps - 1.0).abs() < 1e-6);
    }
}

#[test]
fn a_pair_without_a_value_is_refused_with_its_form() {
    let Err(failure) = load(&parse(&["--set", "watch.max_fps"]), Vec::new()) else { panic!("this must be refused") };
    assert!(failure.message.contains("--set section.key=value"), "{}", failure.message);
}

#[test]
fn nonsense_is_refused_before_anything_happens() {
    for words in [
        &["ask"][..],
        &["ask", "clip.webm"],
        &["ask", "clip.webm", "what?", "--at", "-1"],
        &["ask", "clip.webm", "what?", "--at", "soon"],
        &["models"],
        &["models", "convert"],
        &["fly"],
    ] {
        assert!(Cli::try_parse_from([&["sightline"], words].concat()).is_err(), "{words:?}");
    }
}
