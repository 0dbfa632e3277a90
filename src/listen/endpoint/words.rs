//! The words that the end of a sentence is judged by. English.

/// Nothing ends with these: what they begin is missing.
pub(super) const HANGING: &[&str] = &[
    "a", "an", "the", "my", "your", "our", "their", "its", "every", "and", "or", "but", "nor", "because", "cause",
    "if", "whether", "although", "though", "unless", "until", "while", "since", "than", "um", "umm", "uh", "er", "erm",
    "ah", "hmm", "hm", "i", "we", "he", "she", "they", "im", "ive", "ill", "id", "youre", "theyre", "whats", "wheres",
    "itll", "youll", "theyll", "weve", "youve", "theyve", "whos", "theres", "thats", "lets", "very", "quite", "which",
    "whose", "gonna", "wanna", "gotta", "when", "where", "what", "how", "who", "why",
];

/// Nor with these.
pub(super) const OPEN_TAILS: &[&str] = &[
    "i think",
    "i think that",
    "i guess",
    "i suppose",
    "i mean",
    "i wonder",
    "i was wondering",
    "im wondering",
    "i am wondering",
    "i was thinking",
    "i know that",
    "tell me",
    "show me",
    "give me",
    "let me",
    "let me see",
    "let me think",
    "lets see",
    "i would like",
    "id like",
    "can you",
    "could you",
    "would you",
    "will you",
    "kind of",
    "sort of",
    "such as",
    "for example",
    "so that",
    "in order",
    "my name is",
    "the thing is",
    "the problem is",
    "the question is",
];

/// These are the beginning of something when they are all there is.
pub(super) const OPEN_WHOLE: &[&str] = &[
    "is there",
    "are there",
    "there is",
    "there are",
    "this is",
    "that is",
    "these are",
    "those are",
    "do you know",
    "do you think",
    "you know",
    "how many",
    "how much",
    "what kind",
    "which one",
    "i said",
    "i asked",
    "he said",
    "she said",
    "the first",
    "the other",
    "in front",
    "next",
];

/// Nor with these, except where the noun that belongs to them stands before ("what is it for").
pub(super) const PREPOSITIONS: &[&str] = &[
    "of", "to", "in", "on", "at", "for", "with", "from", "by", "about", "into", "onto", "over", "under", "behind",
    "beside", "between", "near", "like", "without", "through", "against", "towards", "during", "among", "as", "so",
];

/// Nor with these, except after a pronoun ("yes, it is").
pub(super) const AUXILIARIES: &[&str] = &[
    "is", "are", "was", "were", "am", "be", "do", "does", "did", "can", "could", "will", "would", "should", "shall",
    "may", "might", "must", "have", "has", "had", "isnt", "arent", "wasnt", "cant", "couldnt", "dont", "doesnt",
    "didnt", "wont", "wouldnt", "shouldnt",
];

/// Nor statements with these: they lack what is wanted or found.
pub(super) const TRANSITIVE: &[&str] = &[
    "want", "wants", "need", "needs", "wanted", "needed", "put", "bought", "got", "get", "find", "found", "take",
    "make",
];

/// Verbs and states that "in", "on", "over" and "by" belong to.
pub(super) const MOVES: &[&str] = &[
    "come", "comes", "came", "go", "goes", "went", "is", "was", "are", "were", "be", "still", "not", "already",
    "turned", "turn", "switched", "left", "move", "moved", "walk", "walked", "get", "got", "sit", "stay", "hold",
    "carry",
];

/// Words besides pronouns, and those that end in "ing", after which a preposition may end a question: its noun stands before.
pub(super) const NOUNS_BEFORE: &[&str] = &["made", "look", "looks", "looked", "come"];

/// What is said before "that", for a clause to follow.
pub(super) const CLAIMS: &[&str] =
    &["is", "said", "say", "think", "me", "him", "her", "sure", "hope", "believe", "heard", "mean", "noticed"];

/// A clause of so many words has its main clause in it, whether there is a comma or not.
pub(super) const CLAUSE: usize = 8;

/// Verbs that ask for something, when a short question ends with them.
pub(super) const ASKED: &[&str] = &[
    "see", "seen", "find", "found", "tell", "show", "read", "give", "want", "need", "know", "remember", "explain",
    "describe", "have",
];

/// Words that stand for a thing, after which a preposition or an auxiliary may end a sentence.
pub(super) const PRONOUNS: &[&str] = &[
    "it", "this", "that", "these", "those", "them", "you", "he", "she", "they", "we", "i", "there", "one", "him",
    "her", "me", "us", "mine", "yours",
];

/// Beginnings of clauses that lean on another.
pub(super) const SUBORDINATE: &[&str] = &[
    "if", "when", "while", "because", "since", "although", "though", "after", "before", "once", "unless", "until",
    "whenever",
];

/// Beginnings of questions.
pub(super) const QUESTIONS: &[&str] = &[
    "what", "whats", "where", "wheres", "who", "whos", "whose", "when", "why", "which", "how", "hows", "is", "are",
    "was", "were", "am", "do", "does", "did", "can", "could", "will", "would", "should", "have", "has", "isnt",
    "arent", "dont", "doesnt", "didnt", "cant",
];

/// Beginnings of questions about things.
pub(super) const WH: &[&str] = &["what", "where", "who", "when", "why", "how"];

/// Words that a clause goes on with after those, and a question does not.
pub(super) const SUBJECTS: &[&str] =
    &["my", "your", "our", "their", "the", "i", "we", "they", "you", "he", "she", "it"];

/// Beginnings of questions and requests that are told like statements.
pub(super) const INDIRECT: &[&str] = &[
    "i was wondering",
    "i am wondering",
    "im wondering",
    "i wonder",
    "i would like to know",
    "id like to know",
    "i want to know",
    "i would like you to",
    "id like you to",
    "i want you to",
    "i need you to",
    "i wanted to ask",
    "i have to ask",
    "i want to ask",
];

/// Beginnings of requests.
pub(super) const REQUESTS: &[&str] = &[
    "tell", "show", "read", "describe", "count", "find", "remember", "forget", "look", "watch", "say", "repeat",
    "help", "turn", "explain", "spell", "list", "name", "compare", "give", "stop", "remind", "please", "check",
    "point", "guess", "call", "go back",
];

/// More of them.
pub(super) const LONG_REQUESTS: &[&str] = &["translate", "summarize", "summarise", "let me know"];

/// Words of politeness and hesitation before what is asked.
pub(super) const BEFORE: &[&str] = &[
    "okay", "ok", "so", "and", "but", "now", "well", "hey", "hi", "hello", "yeah", "yes", "no", "oh", "alright",
    "right", "um", "uh", "er", "sorry", "then", "also", "please", "great", "thanks", "hmm",
];

/// More of them.
pub(super) const LONG_BEFORE: &[&str] = &["all right", "excuse me", "sightline", "thank you"];

/// Beginnings of statements: a subject, which a verb follows.
pub(super) const STATERS: &[&str] = &[
    "i", "im", "ive", "it", "its", "this", "that", "thats", "these", "those", "there", "theres", "we", "weve", "you",
    "youre", "he", "hes", "she", "shes", "they", "theyre",
];

/// Beginnings of subjects of several words.
pub(super) const DETERMINERS: &[&str] = &["the", "a", "an", "my", "your", "our", "his", "her", "their"];

/// Words of a statement that is whole.
pub(super) const TOLD: usize = 5;

/// Words that are whole, whatever they were: people stop to think earlier.
pub(super) const LONG: usize = 7;

/// Digits of a number that may be all of it.
pub(super) const WHOLE_NUMBER: usize = 4;

/// Names of digits and numbers.
pub(super) const NUMBERS: &[&str] = &[
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "double", "triple",
    "hundred", "thousand", "point",
];
