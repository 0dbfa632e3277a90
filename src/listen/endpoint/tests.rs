//! Endings, and what each is worth.

use super::{Eagerness, Ending, ending};

fn all(which: Ending, texts: &[&str]) {
    for text in texts {
        assert_eq!(ending(text), which, "{text:?}");
    }
}

#[test]
fn questions_and_requests_with_all_that_belongs_to_them_are_finished() {
    all(
        Ending::Finished,
        &[
            "What is on the table?",
            "what colour is the cup",
            "Where are you from?",
            "What is it for?",
            "What does it look like?",
            "Can you tell me where it is?",
            "Can you tell me what this thing is?",
            "I have a cup here. What colour is it?",
            "Tell me about this room.",
            "Okay, read the sign please.",
            "Is there a dog in the picture?",
            "How many chairs are there?",
            "Stop.",
            "Hold on.",
            "When did I come home?",
            "If I press this, what happens then?",
            "Turn it on.",
            "What is this?",
            "Um, who is that?",
            "I was wondering if you can see my keys.",
            "I'd like to know what the label says.",
        ],
    );
}

#[test]
fn what_lacks_its_end_hangs() {
    all(
        Ending::Hanging,
        &[
            "I was wondering if",
            "I was wondering if.",
            "What is on the",
            "Can you tell me?",
            "Um.",
            "So,",
            "I think that",
            "Because",
            "Tell me",
            "I want to",
            "Show me the picture of",
            "There is a cup next to",
            "and then",
            "I have seen it, but um",
            "Do you know what",
            "Tell me when.",
            "I'm looking for...",
            "How many",
            "Do you think that",
            "Next week they'll",
            "Where are we",
            "Do you know where we",
            "When is she going to say where they?",
        ],
    );
}

#[test]
fn what_may_go_on_or_not_leans() {
    all(
        Ending::Leaning,
        &[
            "Where is",
            "My number is five five five",
            "The code is 4 7",
            "My number is 555",
            "When I came home yesterday",
            "If you look at the shelf.",
            "What about",
            "I am looking for",
            "I need something for",
            "Can you see",
            "Is it behind",
            "There is a cup near",
        ],
    );
}

#[test]
fn a_statement_is_told_when_it_is_long_enough_to_be_whole() {
    all(
        Ending::Told,
        &[
            "Yes.",
            "Okay.",
            "Thank you.",
            "I have a cup on my desk.",
            "It was built in 1955.",
            "My number is 555 1234.",
            "The window over there is open.",
            "Let me know if somebody comes in.",
            "I wanted to ask whether the light is still on.",
            "Because it was dark I could not read the number.",
            "When I came home yesterday was the window open?",
            "What your country can do for you?",
            "Where are we?",
            "And who is he?",
        ],
    );
}

#[test]
fn of_parts_of_sentences_nothing_is_sure() {
    all(
        Ending::Statement,
        &[
            "",
            "...",
            "The red one.",
            "Yes, it is.",
            "I think so.",
            "It is twenty.",
            "I am not sure.",
            "What?",
            "What is next for?",
            "Next to the old chair.",
            // A comma tells little, and a long sentence that seems to lack its end was misread.
            "What is on the table,",
            "I would like to know what is behind the door in.",
        ],
    );
}

#[test]
fn the_less_is_sure_the_longer_it_is_waited_and_eagerness_shortens_all_of_it() {
    let each = [Eagerness::High, Eagerness::Medium, Eagerness::Low].map(Eagerness::patience);
    for p in each {
        let all = [p.finished, p.told, p.unread, p.statement, p.leaning, p.hanging];
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
        assert_eq!(p.after("What is on the table?", true), p.finished);
        assert_eq!(p.after("What is on the", true), p.hanging);
        assert_eq!(p.after("I am looking for", true), p.leaning);
        assert!(p.after("What is on the table?", false) > p.finished);
        assert!(p.after("It is red and very old.", false) > p.after("It is red and very old.", true));
        assert!(p.after("It is red.", true) > p.after("It is red and very old.", true));
    }
    for two in each.windows(2) {
        assert!(two[0].finished < two[1].finished && two[0].hanging < two[1].hanging);
        assert!(two[0].statement < two[1].statement && two[0].unread < two[1].unread);
    }
}
