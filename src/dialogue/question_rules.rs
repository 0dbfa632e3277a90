//! The rules by which a question is sorted, one per kind, tried in order: the more particular come first.

use super::question::{Ask, Attribute, Place, Words, colour_word, noun_phrase};

/// A rule: what is asked, if it is of its kind.
pub(crate) type Rule = fn(&Words) -> Option<Ask>;

/// In the order in which they are tried.
pub(crate) const RULES: [Rule; 15] = [
    chat, read, past, change, count, colour, who, motion, light, attribute, place, presence, describe, identify,
    general,
];

fn chat(q: &Words) -> Option<Ask> {
    let small = q.words.len() <= 4
        && q.begins("hello|hi|hey|good morning|good evening|thanks|thank you|bye|goodbye|ok|okay")
        && !q.any("what|where|see|is|how many");
    let about_us = q.any(
        "how are you|who are you|what are you|your name|what can you do|who made you|are you a robot|\
         are you human|are you an ai|can you hear me|help me",
    ) && !q.any("looking at|seeing|you looking");
    (small || about_us).then_some(Ask::Chat)
}

fn read(q: &Words) -> Option<Ask> {
    let says = q.any("what does|what do") && q.any("say|says|read") && !q.any("you say");
    let read = q.any(
        "read|written|what is the text|what text|any text|text do you see|what word|what words|which words|\
         the sign say|what letters|what number is|see any text|some text|there text|writing|the title|\
         label say|spell|what it says",
    ) && !q.any("reading a|is reading");
    (says || read).then_some(Ask::Read)
}

fn past(q: &Words) -> Option<Ask> {
    let past = q.any(
        "earlier|yesterday|last time|minutes ago|minute ago|seconds ago|hour ago|hours ago|remember|\
         did i put|did i leave|have you seen|did you see|was there|were there|moment ago|this morning|\
         used to be|have i put|was i|did i",
    ) || q.begins("was|were");
    if !past {
        return None;
    }
    let what = q.after("have you seen|did you see|did i put|did i leave|was there|were there|have i put");
    Some(Ask::Past(what.and_then(noun_phrase)))
}

fn change(q: &Words) -> Option<Ask> {
    q.any(
        "change|changed|changes|different|is new|anything new|appeared|disappeared|just happened|\
         what happened|went away|came in|has left",
    )
    .then_some(Ask::Change)
}

fn count(q: &Words) -> Option<Ask> {
    // "Count from one to ten" is about numbers, not about what is seen.
    if q.any("count from|count to|count up|count down") {
        return None;
    }
    let rest = q.after("how many|count|number of")?;
    Some(Ask::Count(noun_phrase(rest).unwrap_or_else(|| "thing".to_owned())))
}

fn colour(q: &Words) -> Option<Ask> {
    if q.any("what colour|which colour|what color|which color|colour of|color of|what colours|what colors") {
        if q.any("background|the picture|the image|colours are there|colors are there|do you see|the scene") {
            return Some(Ask::ColourOf(None));
        }
        let rest = q.after(
            "colour of|color of|colours of|colors of|colour is|color is|colour are|color are|colours are|\
         colors are",
        );
        let what = rest.or_else(|| q.after("what colour|what color|which colour|which color")).and_then(noun_phrase);
        return Some(Ask::ColourOf(Some(what.unwrap_or_else(|| "it".to_owned()))));
    }
    let (at, colour) = q.words.iter().enumerate().find_map(|(i, w)| colour_word(w).map(|c| (i, c)))?;
    if q.any("red thing|blue thing|green thing|yellow thing")
        || (q.begins("what is the|what is that|what is this")
            && q.words.get(at + 1).is_some_and(|w| ["thing", "object", "item", "one"].contains(&w.as_str())))
    {
        return Some(Ask::OfColour(colour));
    }
    // The colour at the end: "is the cup red". In front of its noun it only narrows what is asked for.
    if at + 1 == q.words.len() && q.begins("is|are") && !q.begins("is there|are there") {
        let what = noun_phrase(&q.words[1..at].join(" ")).unwrap_or_else(|| "it".to_owned());
        return Some(Ask::IsColour(what, colour));
    }
    None
}

fn who(q: &Words) -> Option<Ask> {
    let identity = q.any("who am i|his name|her name|my name|their name|recognize|recognise|do you know me");
    let who = q.any("who is|who are")
        && q.any("this|that|he|she|they|it|these|those|person|man|woman|people|guy|there|here|in|on|behind|speaking")
        && !q.any("president|king|queen|inventor|author");
    (identity || who).then_some(Ask::Who)
}

fn motion(q: &Words) -> Option<Ask> {
    if q.any("is happening|going on") {
        return Some(Ask::Describe);
    }
    const DEEDS: &str = "doing|eating|drinking|reading|playing|watching|cooking|making|saying|thinking|writing|building|\
         throwing|carrying";
    if q.begins("what|who")
        && let Some(before) = q.before(DEEDS)
    {
        let what =
            before.rsplit_once(" is ").or_else(|| before.rsplit_once(" are ")).or_else(|| before.rsplit_once(" am "));
        return Some(Ask::Motion(what.and_then(|(_, noun)| noun_phrase(noun)).or_else(|| Some("person".to_owned()))));
    }
    if !q.any("moving|move|moves|which way|which direction|what direction|coming closer|going away|standing still") {
        return None;
    }
    if q.any("anything|something|what is moving|what moves") {
        return Some(Ask::Motion(None));
    }
    Some(Ask::Motion(q.after("is|are|does|do").and_then(noun_phrase)))
}

fn light(q: &Words) -> Option<Ask> {
    q.any("is it dark|is it bright|day or night|light on|lights on|too dark|how bright|how dark|dark or bright")
        .then_some(Ask::Light)
}

fn attribute(q: &Words) -> Option<Ask> {
    use Attribute as A;
    const TABLE: &[(A, &str)] = &[
        (A::Clothing, "wearing|wear|dressed|clothes|shirt|outfit|trousers|jacket|shoes|dress|pants"),
        (A::Age, "how old|what age|age of|years old"),
        (A::Gender, "man or a woman|man or woman|male or female|boy or girl|gender|boy or a girl"),
        (
            A::Emotion,
            "happy|sad|angry|smiling|smile|mood|feeling|emotion|expression|tired|look like today|how do i look|\
         beautiful|handsome",
        ),
        (A::Looks, "hair|eyes|beard|skin|tall am i|glasses am i"),
        (A::Brand, "brand|manufacturer|logo|who made|which company"),
        (A::Material, "made of|made out of|material|made from"),
        (A::Size, "how big|how tall|how far|how heavy|how long|how wide|how large|weigh|distance|size"),
        (A::Time, "what time|the time|what day|what date|which day"),
        (A::Weather, "weather|raining|temperature|how warm|how cold|sunny"),
        (A::Price, "cost|price|how much is|how expensive|worth"),
        (A::OtherSense, "smell|taste|sound like|hear|noise"),
    ];
    TABLE.iter().find(|(_, phrases)| q.any(phrases)).map(|(a, _)| Ask::Attribute(*a))
}

fn side(text: &str) -> Option<Place> {
    let has = |p: &str| format!(" {text} ").contains(&format!(" {p} "));
    if has("left") && has("right") {
        return None;
    }
    Some(match () {
        () if has("left") => Place::Left,
        () if has("on the right") || has("right side") || has("to the right") || has("my right") => Place::Right,
        () if has("in the middle") || has("in the centre") || has("in the center") => Place::Centre,
        () if has("at the top") || has("on top") => Place::Top,
        () if has("at the bottom") => Place::Bottom,
        () => return None,
    })
}

fn place(q: &Words) -> Option<Ask> {
    if q.any(
        "where am i|where are we|what room|which room|what place|what kind of place|kind of room|indoors|\
         outdoors|inside or outside|where is this",
    ) {
        return Some(Ask::Setting);
    }
    if let Some(rest) = q.after("where is|where are|which side is|which side are|where do you see|find") {
        return Some(noun_phrase(rest).map_or(Ask::Describe, Ask::Where));
    }
    if q.begins("is|are") && q.any("left or right|left or on the right|left or the right") {
        return Some(noun_phrase(&q.words[1..].join(" ")).map_or(Ask::Open, Ask::Where));
    }
    if q.begins("what|which") && q.any("is|are|object|thing|see|stands|lies") {
        if let Some(place) = side(&q.joined) {
            return Some(Ask::At(place));
        }
        if let Some(rest) = q.after("on the|on my|on this|on top of the|inside the")
            && !["picture", "screen", "left", "right", "camera", "image"].iter().any(|w| rest.starts_with(w))
        {
            return noun_phrase(rest).map(Ask::On);
        }
    }
    None
}

fn presence(q: &Words) -> Option<Ask> {
    if q.any("can you see me|do you see me|am i in|am i visible|see my face") {
        return Some(Ask::Present("person".to_owned()));
    }
    if let Some(rest) = q.after("is there|are there|is there still")
        && !q.begins("what|how|where|which")
    {
        if rest.starts_with("anything") || rest.starts_with("something") {
            return Some(Ask::Describe);
        }
        return noun_phrase(rest).map(Ask::Present);
    }
    if q.begins("do you see|can you see|do you still see|can you still see|do you spot|can you spot") {
        let rest = q.after("see|spot").unwrap_or("");
        if rest.is_empty()
            || ["anything", "something", "what", "this", "that", "it"].iter().any(|w| rest.starts_with(w))
        {
            return Some(if rest.starts_with("this") && rest.contains(' ') {
                noun_phrase(rest).map_or(Ask::Identify, Ask::Present)
            } else {
                Ask::Describe
            });
        }
        return noun_phrase(rest).map(Ask::Present);
    }
    if q.begins("is this|is that|is it|are these|are those|are they") {
        return noun_phrase(&q.words[2..].join(" ")).map(Ask::IsIt);
    }
    if q.begins("is the|is a|is an|is my|are the|is any|is anyone|is anybody|is someone|is somebody")
        && q.any("there|visible|in view|in the picture|in the image|in the room|here|on the table|around")
    {
        return noun_phrase(&q.words[1..].join(" ")).map(Ask::Present);
    }
    None
}

fn describe(q: &Words) -> Option<Ask> {
    q.any(
        "describe|what do you see|what can you see|what you see|what you can see|in the picture|\
         in this picture|in the image|in this image|in the photo|in this photo|in the video|in the scene|\
         in view|in front of you|what are you looking at|what is around|what is there|looking at|\
         in front of the camera|tell me about the|what does the camera|what things|what objects|\
         which objects|what is visible|what is in the room|everything|do you see anything|the scene|\
         in the background|behind me|what is shown",
    )
    .then_some(Ask::Describe)
}

fn identify(q: &Words) -> Option<Ask> {
    if q.any("holding|in my hand|in my hands|in his hand|in her hand|in the hand|showing you|hold") {
        return Some(Ask::Held(q.any("i|my|you")));
    }
    for lead in ["what kind of", "what type of", "what sort of", "which kind of", "what breed of", "what species of"] {
        if let Some(rest) = q.after(lead) {
            return Some(noun_phrase(rest).map_or(Ask::Identify, Ask::IdentifyKind));
        }
    }
    if q.any("what breed") {
        return Some(Ask::IdentifyKind("dog".to_owned()));
    }
    let deictic = q.any("this|that|it|these|those|called|here");
    if q.begins("what is|what are|what was|do you know what|tell me what|can you tell me what|identify|name|guess")
        && deictic
    {
        return Some(Ask::Identify);
    }
    if q.begins("what|which") && q.any("is this|is that|is it|are these|are those|do i have") {
        return Some(noun_phrase(&q.words[1..].join(" ")).map_or(Ask::Identify, Ask::IdentifyKind));
    }
    None
}

fn general(q: &Words) -> Option<Ask> {
    let asks = q.any(
        "capital of|joke|meaning of|explain|translate|plus|minus|times|divided|who invented|who wrote|\
         how do i|how does|how can i|how to|why|president|story|poem|define|recipe|square root|\
         how far is the|population|when was|when did|write a|what is a|what is an",
    );
    asks.then_some(Ask::General)
}
