//! The prompts of `tests/data/answers.json`: what they must hold whatever the model makes of them.

use super::*;

pub(super) fn cases() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/answers.json")).expect("answers.json is JSON")
}

/// The prompt of one case, through a conversation as a client would have it.
pub(super) fn prompt_of(scene: Option<SceneFactsArc>, question: &str) -> (Prompt, u32) {
    let now = MediaTime::from_millis(200_000);
    let mut setup = Setup::new("sess_test", [7; 32]);
    if scene.is_some() {
        setup.video = VideoState::Live;
    }
    let (mut c, _) = Conversation::open(setup, now);
    if let Some(scene) = scene {
        let _ = c.handle(Input::Scene(scene), now);
    }
    let item = json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": question}]}});
    let _ = c.handle(Input::Client(ClientEvent::parse(&item.to_string()).expect("valid")), now);
    let mut out = c.handle(Input::Client(ClientEvent::parse(r#"{"type":"response.create"}"#).expect("valid")), now);
    let asked = out.iter().find_map(|o| match o {
        Output::Embed { what, .. } => Some(what.clone()),
        _ => None,
    });
    if let Some(what) = asked {
        out.extend(c.handle(Input::Embedded { what, result: Err("no encoder here".into()) }, now));
    }
    // Before it is said that there is nothing to read, somebody looks; here nothing new is seen.
    let look = out.iter().find_map(|o| match o {
        Output::LookNow { look, .. } => Some(*look),
        _ => None,
    });
    if let Some(look) = look {
        out.extend(c.handle(Input::Looked { look, result: Err("nobody looks here".into()) }, now));
    }
    let generate = out.into_iter().find_map(|o| match o {
        Output::Generate { prompt, max_tokens, .. } => Some((prompt, max_tokens)),
        _ => None,
    });
    generate.unwrap_or_else(|| panic!("no answer is begun to {question}"))
}

pub(super) type SceneFactsArc = Arc<watch::SceneFacts>;

fn each_case() -> Vec<(Value, Prompt)> {
    let file = cases();
    let now = MediaTime::from_millis(200_000);
    let list = file["cases"].as_array().expect("cases").clone();
    let prompt = |case: &Value| {
        let scene = case["scene"].as_str().map(|name| Arc::new(scene_json::scene(&file["scenes"][name], now)));
        prompt_of(scene, case["question"].as_str().expect("question")).0
    };
    list.into_iter().map(|case| (case.clone(), prompt(&case))).collect()
}

#[test]
fn every_case_has_a_prompt_within_its_budget_that_ends_with_the_question() {
    for (case, prompt) in each_case() {
        let tokens: usize = prompt.messages.iter().map(|m| m.content.len().div_ceil(4) + 6).sum();
        assert!(tokens <= Limits::default().prompt_tokens, "{case}");
        let last = &prompt.messages.last().expect("a message").content;
        assert!(last.contains(case["question"].as_str().expect("question")), "{last}");
    }
    if let Ok(path) = std::env::var("SIGHTLINE_PROMPTS") {
        let lines = each_case().into_iter().map(|(case, p)| {
            let m: Vec<_> =
                p.messages.iter().map(|m| json!([format!("{:?}", m.role).to_lowercase(), m.content])).collect();
            json!({"case": case, "messages": m, "prefix": p.answer_prefix}).to_string()
        });
        std::fs::write(path, lines.collect::<Vec<_>>().join("\n")).expect("written");
    }
}

#[test]
fn questions_are_sorted_by_what_they_ask_for() {
    let s = str::to_owned;
    for (text, ask) in [
        ("What's this?", Ask::Identify),
        ("what is in my hand", Ask::Held(true)),
        ("What is the man holding?", Ask::Held(false)),
        ("what kind of bird is that?", Ask::IdentifyKind(s("bird"))),
        ("What's on the left?", Ask::At(Place::Left)),
        ("what's on the table", Ask::On(s("table"))),
        ("Where's my phone?", Ask::Where(s("phone"))),
        ("Is the cup on the left or right?", Ask::Where(s("cup"))),
        ("How many people are there in the picture?", Ask::Count(s("people"))),
        ("Count from one to ten in words.", Ask::General),
        ("What colour is my cup?", Ask::ColourOf(Some(s("cup")))),
        ("and what color is it?", Ask::ColourOf(Some(s("it")))),
        ("What colours are the apples?", Ask::ColourOf(Some(s("apples")))),
        ("Is the car red?", Ask::IsColour(s("car"), watch::Colour::Red)),
        ("Is there a red car?", Ask::Present(s("car"))),
        ("Is there an orange?", Ask::Present(s("orange"))),
        ("What does the sign say?", Ask::Read),
        ("Who is that man?", Ask::Who),
        ("Who is the president of France?", Ask::General),
        ("What is the cat doing?", Ask::Motion(Some(s("cat")))),
        ("what am I doing", Ask::Motion(Some(s("i")))),
        ("Is anything moving?", Ask::Motion(None)),
        ("What changed?", Ask::Change),
        ("Do you see a dog?", Ask::Present(s("dog"))),
        ("Can you see me?", Ask::Present(s("person"))),
        ("Is anyone there?", Ask::Present(s("anyone"))),
        ("Is this a cat?", Ask::IsIt(s("cat"))),
        ("What do you see?", Ask::Describe),
        ("Describe what is in front of you.", Ask::Describe),
        ("What room is this?", Ask::Setting),
        ("Is it dark in here?", Ask::Light),
        ("What am I wearing?", Ask::Attribute(Attribute::Clothing)),
        ("How old am I?", Ask::Attribute(Attribute::Age)),
        ("What time is it?", Ask::Attribute(Attribute::Time)),
        ("Where did I put my keys?", Ask::Past(Some(s("keys")))),
        ("Hello!", Ask::Chat),
        ("What is the capital of France?", Ask::General),
        ("What is two plus two?", Ask::General),
        ("  ?! ", Ask::Nothing),
    ] {
        assert_eq!(analyse(text), ask, "{text}");
    }
}
