//! English nouns of things that cameras see: one form for singular and plural, synonyms, kinds.
//!
//! Source: the class names of COCO and of ImageNet-1k, and the everyday words that people use for them. Small on purpose: a fact brings its own
//! broader words where its expert knows them (`LabelFact::broader`).

/// How a word that was asked for relates to a class name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// The asked word is narrower than the class: asked for a man, seen a person.
    Narrower,
    /// The class is a kind of what was asked for: asked for an animal, seen a dog.
    KindOf,
    /// The same.
    Same,
}

/// Words for the same thing; the first is the class name.
const SAME: &[&[&str]] = &[
    &["person", "human", "somebody", "someone", "anyone", "anybody", "me", "myself", "us", "i", "user", "everyone"],
    &["bicycle", "bike", "cycle"],
    &["motorcycle", "motorbike"],
    &["airplane", "plane", "aeroplane", "aircraft", "airliner", "jet"],
    &["car", "automobile", "auto"],
    &["truck", "lorry"],
    &["boat", "ship"],
    &["tv", "television", "television set", "telly"],
    &["couch", "sofa", "settee", "studio couch"],
    &["cell phone", "phone", "mobile", "smartphone", "mobile phone", "cellphone", "cellular telephone", "telephone"],
    &["cup", "mug", "coffee mug", "coffee cup", "teacup"],
    &["wine glass", "glass", "goblet"],
    &["bottle", "flask"],
    &["remote", "remote control"],
    &["laptop", "computer", "notebook computer", "laptop computer", "notebook", "pc"],
    &["mouse", "computer mouse"],
    &["keyboard", "computer keyboard"],
    &["refrigerator", "fridge", "icebox"],
    &["dining table", "table", "desk"],
    &["potted plant", "plant", "houseplant", "flowerpot", "pot"],
    &["backpack", "rucksack", "back pack"],
    &["handbag", "purse"],
    &["suitcase", "luggage"],
    &["teddy bear", "teddy"],
    &["sports ball", "ball"],
    &["donut", "doughnut"],
    &["hot dog", "hotdog"],
    &["tie", "necktie"],
    &["toilet", "loo"],
    &["traffic light", "traffic signal", "stoplight"],
    &["cow", "cattle", "bull", "ox"],
    &["sheep", "lamb"],
    &["cat", "kitty", "kitten"],
    &["dog", "puppy", "doggy", "pup"],
    &["bird", "birdie"],
    &["knife", "blade"],
    &["book", "novel"],
    &["clock", "wall clock", "analog clock"],
    &["watch", "digital watch", "wristwatch"],
    &["hair drier", "hair dryer", "hairdryer", "hand blower"],
    &["sunglasses", "sunglass", "shades"],
];

/// A kind and what is of it.
const KINDS: &[(&str, &[&str])] = &[
    ("animal", &["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"]),
    ("pet", &["cat", "dog"]),
    ("vehicle", &["car", "bus", "truck", "train", "motorcycle", "bicycle", "airplane", "boat"]),
    ("fruit", &["banana", "apple", "orange"]),
    ("vegetable", &["broccoli", "carrot"]),
    ("food", &["banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"]),
    ("furniture", &["chair", "couch", "bed", "dining table"]),
    ("seat", &["chair", "couch", "bench"]),
    ("device", &["tv", "laptop", "mouse", "remote", "keyboard", "cell phone"]),
    ("screen", &["tv", "laptop", "cell phone"]),
    ("monitor", &["tv", "laptop"]),
    ("appliance", &["microwave", "oven", "toaster", "refrigerator"]),
    ("cutlery", &["fork", "knife", "spoon"]),
    ("dish", &["cup", "bowl", "wine glass"]),
    ("container", &["bottle", "cup", "bowl", "vase", "wine glass"]),
    ("bag", &["handbag", "backpack", "suitcase"]),
    ("toy", &["teddy bear", "sports ball", "kite", "frisbee"]),
    ("flower", &["potted plant", "vase"]),
    ("tool", &["scissors", "knife"]),
    ("clothing", &["tie"]),
    (
        "person",
        &[
            "man",
            "woman",
            "boy",
            "girl",
            "child",
            "kid",
            "baby",
            "guy",
            "lady",
            "gentleman",
            "adult",
            "teenager",
            "worker",
            "player",
            "pedestrian",
            "cyclist",
            "face",
        ],
    ),
    (
        "dog",
        &[
            "retriever",
            "golden retriever",
            "labrador",
            "poodle",
            "terrier",
            "spaniel",
            "collie",
            "husky",
            "beagle",
            "corgi",
        ],
    ),
    ("cat", &["tabby", "siamese", "persian cat"]),
    ("bird", &["parrot", "eagle", "duck", "goose", "hen", "chicken", "owl", "penguin", "flamingo"]),
    ("car", &["taxi", "cab", "sports car", "convertible", "minivan", "jeep"]),
    ("dining table", &["desk"]),
];

const IRREGULAR: &[(&str, &str)] = &[
    ("people", "person"),
    ("persons", "person"),
    ("men", "man"),
    ("women", "woman"),
    ("children", "child"),
    ("mice", "mouse"),
    ("geese", "goose"),
    ("teeth", "tooth"),
    ("feet", "foot"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("loaves", "loaf"),
    ("wolves", "wolf"),
    ("shelves", "shelf"),
    ("scissors", "scissors"),
    ("sunglasses", "sunglasses"),
    ("glasses", "glass"),
    ("clothes", "clothes"),
    ("skis", "ski"),
    ("buses", "bus"),
    ("shoes", "shoe"),
];

/// Words that end in `s` and are singular.
const SINGULAR_S: &[&str] =
    &["bus", "lens", "gas", "canvas", "cactus", "octopus", "hippopotamus", "platypus", "walrus", "this"];

/// The singular of a noun phrase: its last word is changed.
pub(crate) fn singular(phrase: &str) -> String {
    let (head, last) = match phrase.rsplit_once(' ') {
        Some((head, last)) => (Some(head), last),
        None => (None, phrase),
    };
    let last = singular_word(last);
    head.map_or_else(|| last.clone(), |head| format!("{head} {last}"))
}

fn singular_word(word: &str) -> String {
    if let Some((_, one)) = IRREGULAR.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    if SINGULAR_S.contains(&word) || word.len() < 4 || word.ends_with("ss") || word.ends_with("us") {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|s| s.len() > 1) {
        return format!("{stem}y");
    }
    for es in ["ches", "shes", "xes", "sses", "zes", "oes"] {
        if word.ends_with(es) {
            return word[..word.len() - 2].to_owned();
        }
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

/// The plural of a noun phrase.
pub(crate) fn plural(phrase: &str) -> String {
    let (head, last) = phrase.rsplit_once(' ').map_or(("", phrase), |(h, l)| (h, l));
    let last = match IRREGULAR.iter().find(|(many, one)| *one == last && *many != "persons") {
        Some((many, _)) => (*many).to_owned(),
        None if last.ends_with('y') && !last.ends_with("ey") && !last.ends_with("ay") && !last.ends_with("oy") => {
            format!("{}ies", &last[..last.len() - 1])
        }
        None if ["s", "x", "z", "ch", "sh"].iter().any(|e| last.ends_with(e)) => format!("{last}es"),
        None if last == "sheep" || last == "fish" => last.to_owned(),
        None => format!("{last}s"),
    };
    if head.is_empty() { last } else { format!("{head} {last}") }
}

/// The class name for a word that means the same.
fn canonical(word: &str) -> &str {
    SAME.iter().find(|group| group.contains(&word)).map_or(word, |group| group[0])
}

fn is_kind(kind: &str, of: &str) -> bool {
    KINDS.iter().any(|(k, members)| *k == kind && members.contains(&of))
}

/// Whether `a` is `b` or of that kind, over at most two steps (poodle → dog → animal).
fn is_a(a: &str, b: &str) -> bool {
    is_kind(b, a) || KINDS.iter().any(|(k, members)| members.contains(&a) && is_kind(b, k))
}

/// How the asked word relates to a class name with its broader words; `None`: not at all. Both in singular or plural, lower case.
pub(crate) fn fit(asked: &str, label: &str, broader: &[String]) -> Option<Fit> {
    let (asked, label) = (singular(&asked.to_lowercase()), singular(&label.to_lowercase()));
    let (a, l) = (canonical(&asked), canonical(&label));
    let head = |s: &str| s.rsplit(' ').next().map(str::to_owned).unwrap_or_default();
    if a == l {
        // Both `mug` and `cup` come out as `cup`, but a desk is not what somebody asks for who asks for a dining table.
        return Some(Fit::Same);
    }
    let broad: Vec<String> = broader.iter().map(|b| singular(&b.to_lowercase())).collect();
    let kind = ["object", "thing", "item", "stuff"].contains(&a)
        || is_a(l, a)
        || canonical(&head(l)) == a
        || is_a(canonical(&head(l)), a)
        || broad.iter().any(|b| canonical(b) == a || is_a(canonical(b), a));
    if kind {
        return Some(Fit::KindOf);
    }
    let narrower = is_kind(l, &asked) || is_kind(l, a) || (asked.contains(' ') && canonical(&head(&asked)) == l);
    narrower.then_some(Fit::Narrower)
}

/// Whether a word means a person.
pub(crate) fn is_person(word: &str) -> bool {
    let word = singular(word);
    canonical(&word) == "person" || is_kind("person", &word)
}

/// Whether this table knows the word as that of a thing a camera can see.
pub(crate) fn is_known(word: &str) -> bool {
    let word = singular(word);
    let canon = canonical(&word);
    SAME.iter().any(|g| g.contains(&word.as_str()))
        || KINDS.iter().any(|(k, members)| *k == canon || members.contains(&canon))
        || [
            "fork",
            "spoon",
            "bowl",
            "chair",
            "bed",
            "umbrella",
            "kite",
            "surfboard",
            "skateboard",
            "snowboard",
            "ski",
            "bench",
            "vase",
            "sink",
            "toothbrush",
            "parking meter",
            "fire hydrant",
            "stop sign",
            "baseball bat",
            "baseball glove",
            "tennis racket",
            "frisbee",
        ]
        .contains(&canon)
}

/// `a cup`, `an apple`, `scissors`.
pub(crate) fn with_article(noun: &str) -> String {
    let last = noun.rsplit(' ').next().unwrap_or(noun);
    if ["scissors", "sunglasses", "skis", "clothes", "jeans", "people", "broccoli", "food", "furniture"].contains(&last)
        || (singular(noun) != noun && plural(&singular(noun)) == noun)
    {
        return noun.to_owned();
    }
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']);
    // The sound counts: an umbrella, a unicycle.
    let article = if vowel && !noun.starts_with("uni") && !noun.starts_with("eu") && !noun.starts_with("one") {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}

/// Small numbers as words.
pub(crate) fn number(n: usize) -> String {
    const WORDS: [&str; 13] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    WORDS.get(n).map_or_else(|| n.to_string(), |w| (*w).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singular_and_plural_are_each_others_opposite() {
        for (one, many) in [
            ("cup", "cups"),
            ("person", "people"),
            ("bus", "buses"),
            ("knife", "knives"),
            ("cell phone", "cell phones"),
            ("bench", "benches"),
            ("box", "boxes"),
            ("butterfly", "butterflies"),
            ("mouse", "mice"),
            ("key", "keys"),
        ] {
            assert_eq!(singular(many), one);
            assert_eq!(plural(one), many);
            assert_eq!(singular(one), one);
        }
    }

    #[test]
    fn words_fit_class_names_as_people_use_them() {
        let broad = ["retriever".to_owned(), "dog".to_owned()];
        assert_eq!(fit("mugs", "cup", &[]), Some(Fit::Same));
        assert_eq!(fit("phone", "cell phone", &[]), Some(Fit::Same));
        assert_eq!(fit("mug", "coffee mug", &[]), Some(Fit::Same));
        assert_eq!(fit("animals", "dog", &[]), Some(Fit::KindOf));
        assert_eq!(fit("dog", "golden retriever", &broad), Some(Fit::KindOf));
        assert_eq!(fit("animal", "golden retriever", &broad), Some(Fit::KindOf));
        assert_eq!(fit("man", "person", &[]), Some(Fit::Narrower));
        assert_eq!(fit("poodle", "dog", &[]), Some(Fit::Narrower));
        assert_eq!(fit("cat", "dog", &[]), None);
        assert_eq!(fit("car", "carrot", &[]), None);
    }

    #[test]
    fn articles_follow_the_sound() {
        assert_eq!(with_article("apple"), "an apple");
        assert_eq!(with_article("unicycle"), "a unicycle");
        assert_eq!(with_article("scissors"), "scissors");
        assert_eq!(with_article("cups"), "cups");
        assert_eq!(with_article("bus"), "a bus");
    }
}
