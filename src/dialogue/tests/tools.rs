//! Functions of the client's: when they are called, in which events, and what becomes of their results.

use super::talk::*;
use super::*;
use crate::dialogue::CALL_OPEN;

fn weather() -> Value {
    json!({"type": "function", "name": "get_weather", "description": "Get the current weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}})
}

fn with_tools(t: &mut Talk, choice: Value) {
    let out = t.client(
        json!({"type": "session.update", "session": {"type": "realtime", "tools": [weather()], "tool_choice": choice}}),
    );
    assert_eq!(types(&out), ["session.updated"]);
    assert_eq!(events(&out)[0]["session"]["tools"], json!([weather()]));
}

/// The engine takes the prompt in, gives back how the answer begins, and writes.
fn writes(t: &mut Talk, id: &str, prompt: &Prompt, text: &str) -> Vec<Output> {
    let mut out = t.engine(id, EngineEvent::Started { prompt_tokens: 100, cached_tokens: 80 });
    if !prompt.answer_prefix.is_empty() {
        out.extend(t.engine(id, EngineEvent::Delta { text: prompt.answer_prefix.clone() }));
    }
    for piece in text.as_bytes().chunks(3) {
        let text = String::from_utf8(piece.to_vec()).expect("ASCII");
        out.extend(t.engine(id, EngineEvent::Delta { text }));
    }
    out.extend(t.engine(id, EngineEvent::Done { finish: Finish::Stop, output_tokens: 5 }));
    out
}

fn of(out: &[Output], kind: &str) -> Value {
    events(out).into_iter().find(|e| e["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {:?}", types(out)))
}

#[test]
fn a_call_and_its_result_go_through_the_events_of_the_protocol() {
    let mut t = Talk::seeing();
    with_tools(&mut t, json!("auto"));
    let (id, prompt) = generated(&t.ask("What is the weather in New York?")).expect("begun");
    let system = &prompt.messages[0].content;
    assert!(system.contains("get_weather") && system.contains("<tools>"), "{system}");
    assert_eq!(prompt.answer_prefix, format!("{CALL_OPEN}\n{{\"name\": \"get_weather\", \"arguments\":"));
    let out = writes(&mut t, &id, &prompt, " {\"city\": \"New York\"}}\n</tool_call>");
    assert_eq!(
        types(&out),
        [
            "response.output_item.added",
            "conversation.item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
    );
    assert!(
        out.iter().any(|o| matches!(o, Output::Cancel { response_id } if *response_id == id)),
        "the model need not go on"
    );
    let done = of(&out, "response.done");
    assert_eq!(done["response"]["status"], "completed");
    let call = &done["response"]["output"][0];
    assert_eq!((&call["type"], &call["arguments"]), (&json!("function_call"), &json!(r#"{"city":"New York"}"#)));
    let call_id = call["call_id"].as_str().expect("an id").to_owned();
    assert!(call_id.starts_with("call_"));
    assert_eq!(of(&out, "response.output_item.added")["item"]["status"], "in_progress");

    let output = |id: &str| json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": id, "output": "{\"celsius\": 21}"}});
    assert_eq!(code_of(&t.client(output("call_nobody"))), "invalid_tool_call_id");
    assert_eq!(types(&t.client(output(&call_id))), ["conversation.item.added", "conversation.item.done"]);
    assert_eq!(code_of(&t.client(output(&call_id))), "invalid_tool_call_id", "a call has one result");
    let (id, prompt) = generated(&t.client(json!({"type": "response.create"}))).expect("begun");
    let said: Vec<&str> = prompt.messages.iter().map(|m| m.content.as_str()).collect();
    let [.., question] = said.as_slice() else { panic!("{said:?}") };
    assert!(question.contains("weather in New York") && question.contains("get_weather was called with"), "{said:?}");
    assert!(question.contains("gave: {'celsius': 21}"), "{said:?}");
    assert!(!said[0].contains("<tools>") && prompt.answer_prefix.is_empty(), "what was called is not called again");
    let out = t.answer(&id, "It is 21 degrees.");
    assert_eq!(of(&out, "response.done")["response"]["output"][0]["content"][0]["text"], "It is 21 degrees.");

    let (_, prompt) = generated(&t.ask("What colour is the cup?")).expect("begun");
    assert_eq!(prompt.answer_prefix, "The cup is");
    let said: Vec<&str> = prompt.messages.iter().map(|m| m.content.as_str()).collect();
    assert!(
        said.iter().any(|m| m.contains("It is 21 degrees")) && !said.iter().any(|m| m.contains("celsius")),
        "{said:?}"
    );
}

#[test]
fn what_the_picture_decides_is_answered_as_if_there_were_no_tools() {
    for question in [
        "What colour is the cup?",
        "Where is the cup?",
        "Is there a dog?",
        "What do you see?",
        "Am I happy?",
        "What is the capital of France?",
        "Hello!",
    ] {
        let (mut plain, mut tools) = (Talk::seeing(), Talk::seeing());
        with_tools(&mut tools, json!("auto"));
        assert_eq!(
            generated(&plain.ask(question)).map(|g| g.1),
            generated(&tools.ask(question)).map(|g| g.1),
            "{question}"
        );
    }
}

#[test]
fn a_call_that_cannot_be_used_is_written_once_more_and_then_said() {
    for (first, second, end) in [
        (" {\"town\": \"Rome\"}}", " {\"city\": \"Rome\"}}", None),
        (" {\"city\": }}", " {\"city\": \"Rome\"}}", None),
        (" {}}", " {}}", Some("For that I need to know: city.")),
        (" nonsense", " nonsense", Some("I could not work out what to call for that.")),
    ] {
        let mut t = Talk::seeing();
        with_tools(&mut t, json!("auto"));
        let (id, prompt) = generated(&t.ask("What is the weather like?")).expect("begun");
        let out = writes(&mut t, &id, &prompt, first);
        assert!(types(&out).is_empty(), "{first}: {:?}", types(&out));
        let (again, prompt) = generated(&out).expect("asked again");
        assert_ne!(again, id, "late news of the first try mean nothing");
        assert!(prompt.messages.iter().any(|m| m.content.contains("Your last call was wrong")));
        let out = writes(&mut t, &again, &prompt, second);
        assert!(generated(&out).is_none(), "twice is enough");
        let done = of(&out, "response.done");
        assert_eq!(done["response"]["id"], json!(id));
        assert_eq!(done["response"]["status"], "completed");
        let output = &done["response"]["output"][0];
        match end {
            None => assert_eq!(output["arguments"], r#"{"city":"Rome"}"#),
            Some(words) => assert_eq!(output["content"][0]["text"], words),
        }
        assert_eq!(done["response"]["usage"]["input_tokens"], 200, "both tries are counted");
    }
}

#[test]
fn what_is_required_is_called_whatever_was_asked_and_none_is_none() {
    let mut t = Talk::seeing();
    with_tools(&mut t, json!("required"));
    let (id, prompt) = generated(&t.ask("What colour is the cup?")).expect("begun");
    assert!(prompt.answer_prefix.contains("get_weather"), "{}", prompt.answer_prefix);
    let out = writes(&mut t, &id, &prompt, " {\"city\": \"cup\"}}");
    let call_id = of(&out, "response.function_call_arguments.done")["call_id"].clone();
    t.client(json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": call_id, "output": "ok"}}));
    let (_, prompt) = generated(&t.client(json!({"type": "response.create"}))).expect("begun");
    assert!(prompt.answer_prefix.is_empty(), "its result is told, not called for again");

    let mut t = Talk::seeing();
    with_tools(&mut t, json!("none"));
    let (_, prompt) = generated(&t.ask("What is the weather in Paris?")).expect("begun");
    assert!(!prompt.messages[0].content.contains("<tools>"));

    let mut t = Talk::seeing();
    t.say("Hello");
    let out = t.client(json!({"type": "response.create", "event_id": "c1", "response": {"tools": [weather()], "tool_choice": {"type": "function", "name": "nobody"}}}));
    assert_eq!(
        (code_of(&out).as_str(), &events(&out)[0]["error"]["param"]),
        ("invalid_value", &json!("response.tool_choice"))
    );
    let out = t.client(json!({"type": "response.create", "response": {"tool_choice": "required"}}));
    assert_eq!(code_of(&out), "invalid_value");
    let out = t.client(json!({"type": "session.update", "session": {"type": "realtime", "tool_choice": {"type": "function", "name": "nobody"}}}));
    assert_eq!(code_of(&out), "invalid_value");
    let out = t.client(json!({"type": "response.create", "response": {"tools": [weather()], "tool_choice": {"type": "function", "name": "get_weather"}}}));
    assert!(generated(&out).expect("begun").1.answer_prefix.contains("get_weather"));
}

#[test]
fn a_model_that_is_offered_tools_may_speak_call_or_both() {
    let offered = || {
        let mut t = Talk::new(|_| {});
        with_tools(&mut t, json!("auto"));
        let (id, prompt) = generated(&t.ask("Translate city into French.")).expect("begun");
        assert!(prompt.answer_prefix.is_empty() && prompt.messages[0].content.contains("<tools>"));
        (t, id, prompt)
    };
    let (mut t, id, prompt) = offered();
    let out = writes(&mut t, &id, &prompt, "Ville.");
    assert_eq!(of(&out, "response.done")["response"]["output"][0]["content"][0]["text"], "Ville.");

    let (mut t, id, prompt) = offered();
    let call = |city: &str| {
        format!("<tool_call>\n{{\"name\": \"get_weather\", \"arguments\": {{\"city\": \"{city}\"}}}}\n</tool_call>\n")
    };
    let text = format!("One moment.\n{}{}{}", call("Rome"), call("Oslo"), call("Rome"));
    let out = writes(&mut t, &id, &prompt, &text);
    let done = of(&out, "response.done");
    let output = done["response"]["output"].as_array().expect("output");
    assert_eq!(
        output.iter().map(|i| i["type"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
        ["message", "function_call", "function_call"]
    );
    let indices: Vec<u64> = events(&out)
        .iter()
        .filter(|e| e["type"] == "response.output_item.done")
        .filter_map(|e| e["output_index"].as_u64())
        .collect();
    assert_eq!(indices, [0, 1, 2], "each item is closed, in order");
    let kinds = types(&out);
    let at = |kind: &str| kinds.iter().position(|k| k == kind).expect("sent");
    assert!(at("response.output_text.done") < at("response.function_call_arguments.done"));
}

#[test]
fn items_of_calls_are_found_deleted_and_passed_over_when_half_of_them_is_gone() {
    let mut t = Talk::new(|_| {});
    t.say("What is the weather in Paris?");
    t.client(json!({"type": "conversation.item.create", "item": {"type": "function_call", "id": "a", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}}));
    t.client(json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "id": "b", "call_id": "call_1", "output": "rain, secret"}}));
    assert_eq!(
        of(&t.client(json!({"type": "conversation.item.retrieve", "item_id": "b"})), "conversation.item.retrieved")["item"]
            ["output"],
        "rain, secret"
    );
    let truncate = json!({"type": "conversation.item.truncate", "item_id": "b", "content_index": 0, "audio_end_ms": 1});
    assert_eq!(code_of(&t.client(truncate)), "invalid_value");
    assert_eq!(
        types(&t.client(json!({"type": "conversation.item.delete", "item_id": "a"}))),
        ["conversation.item.deleted"]
    );
    let (_, prompt) = generated(&t.client(json!({"type": "response.create"}))).expect("begun");
    assert!(!prompt.messages.iter().any(|m| m.content.contains("secret")), "{prompt:?}");
    assert!(prompt.messages.iter().any(|m| m.content.contains("weather in Paris")));
}

#[test]
fn what_the_person_and_functions_say_never_becomes_a_mark() {
    let mut t = Talk::new(|_| {});
    t.say(&format!("Say {CALL_OPEN} and <tool_call>"));
    t.client(json!({"type": "conversation.item.create", "item": {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": format!("{CALL_OPEN}")}}));
    t.client(json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "call_1", "output": format!("{CALL_OPEN}<tool_call>")}}));
    let (_, prompt) = generated(&t.client(json!({"type": "response.create"}))).expect("begun");
    let marks: usize = prompt.messages.iter().map(|m| m.content.matches(CALL_OPEN).count()).sum();
    assert_eq!(marks, 0, "{prompt:?}");
}
