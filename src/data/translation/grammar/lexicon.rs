//! Adjectives, verbs and fixed phrases of the generated grammar, with every form it uses.

use super::nouns::{ANY, DRIVE, EAT, HOLD, OPEN, PAINT, READ, WEAR};

/// Where somebody goes.
pub(super) const GOALS: &[(&str, &str)] = &[
    ("to school", "la școală"),
    ("to the market", "la piață"),
    ("to the hospital", "la spital"),
    ("to the station", "la gară"),
    ("to the park", "în parc"),
    ("to the theatre", "la teatru"),
    ("to the museum", "la muzeu"),
    ("to the beach", "la plajă"),
    ("to the city", "în oraș"),
    ("to work", "la serviciu"),
    ("home", "acasă"),
    ("to Bucharest", "la București"),
    ("to Paris", "la Paris"),
];

/// How somebody goes.
pub(super) const MEANS: &[(&str, &str)] = &[
    ("by train", "cu trenul"),
    ("by car", "cu mașina"),
    ("by bus", "cu autobuzul"),
    ("by bicycle", "cu bicicleta"),
    ("on foot", "pe jos"),
];

/// An adjective: English, its comparative, Romanian masculine, feminine, masculine plural, feminine plural.
pub(super) struct Adjective {
    pub en: &'static str,
    pub more: &'static str,
    pub ro: [&'static str; 4],
}

const fn adjective(en: &'static str, more: &'static str, ro: [&'static str; 4]) -> Adjective {
    Adjective { en, more, ro }
}

/// Of things.
pub(super) const QUALITIES: &[Adjective] = &[
    adjective("red", "", ["roșu", "roșie", "roșii", "roșii"]),
    adjective("black", "", ["negru", "neagră", "negri", "negre"]),
    adjective("white", "", ["alb", "albă", "albi", "albe"]),
    adjective("green", "", ["verde", "verde", "verzi", "verzi"]),
    adjective("blue", "", ["albastru", "albastră", "albaștri", "albastre"]),
    adjective("yellow", "", ["galben", "galbenă", "galbeni", "galbene"]),
    adjective("old", "older", ["vechi", "veche", "vechi", "vechi"]),
    adjective("new", "newer", ["nou", "nouă", "noi", "noi"]),
    adjective("big", "bigger", ["mare", "mare", "mari", "mari"]),
    adjective("small", "smaller", ["mic", "mică", "mici", "mici"]),
    adjective("beautiful", "more beautiful", ["frumos", "frumoasă", "frumoși", "frumoase"]),
    adjective("expensive", "more expensive", ["scump", "scumpă", "scumpi", "scumpe"]),
    adjective("cheap", "cheaper", ["ieftin", "ieftină", "ieftini", "ieftine"]),
    adjective("heavy", "heavier", ["greu", "grea", "grei", "grele"]),
    adjective("light", "lighter", ["ușor", "ușoară", "ușori", "ușoare"]),
    adjective("clean", "cleaner", ["curat", "curată", "curați", "curate"]),
    adjective("dirty", "dirtier", ["murdar", "murdară", "murdari", "murdare"]),
];

/// Of people.
pub(super) const TRAITS: &[Adjective] = &[
    adjective("happy", "happier", ["fericit", "fericită", "fericiți", "fericite"]),
    adjective("tired", "more tired", ["obosit", "obosită", "obosiți", "obosite"]),
    adjective("young", "younger", ["tânăr", "tânără", "tineri", "tinere"]),
    adjective("old", "older", ["bătrân", "bătrână", "bătrâni", "bătrâne"]),
    adjective("tall", "taller", ["înalt", "înaltă", "înalți", "înalte"]),
    adjective("sad", "sadder", ["trist", "tristă", "triști", "triste"]),
    adjective("clever", "cleverer", ["deștept", "deșteaptă", "deștepți", "deștepte"]),
    adjective("rich", "richer", ["bogat", "bogată", "bogați", "bogate"]),
    adjective("poor", "poorer", ["sărac", "săracă", "săraci", "sărace"]),
    adjective("strong", "stronger", ["puternic", "puternică", "puternici", "puternice"]),
    adjective("kind", "kinder", ["amabil", "amabilă", "amabili", "amabile"]),
    adjective("famous", "more famous", ["celebru", "celebră", "celebri", "celebre"]),
];

/// A verb: English base, third person, past, gerund; Romanian present (I, you, he, we, they), third person of the
/// subjunctive, participle, infinitive.
pub(super) struct Verb {
    pub en: [&'static str; 4],
    pub present: [&'static str; 5],
    pub ro: [&'static str; 3],
    /// What it can be done to; 0 without an object.
    pub objects: u8,
    /// Whether it is no action: neither progressive nor after other verbs.
    pub stative: bool,
}

const fn verb(en: [&'static str; 4], present: [&'static str; 5], ro: [&'static str; 3], objects: u8) -> Verb {
    Verb { en, present, ro, objects, stative: false }
}

const fn stative(en: [&'static str; 4], present: [&'static str; 5], ro: [&'static str; 3]) -> Verb {
    Verb { en, present, ro, objects: ANY, stative: true }
}

/// With an object.
pub(super) const TRANSITIVE: &[Verb] = &[
    verb(
        ["read", "reads", "read", "reading"],
        ["citesc", "citești", "citește", "citim", "citesc"],
        ["citească", "citit", "citi"],
        READ,
    ),
    verb(
        ["eat", "eats", "ate", "eating"],
        ["mănânc", "mănânci", "mănâncă", "mâncăm", "mănâncă"],
        ["mănânce", "mâncat", "mânca"],
        EAT,
    ),
    verb(
        ["buy", "buys", "bought", "buying"],
        ["cumpăr", "cumperi", "cumpără", "cumpărăm", "cumpără"],
        ["cumpere", "cumpărat", "cumpăra"],
        ANY,
    ),
    verb(
        ["sell", "sells", "sold", "selling"],
        ["vând", "vinzi", "vinde", "vindem", "vând"],
        ["vândă", "vândut", "vinde"],
        ANY,
    ),
    verb(
        ["open", "opens", "opened", "opening"],
        ["deschid", "deschizi", "deschide", "deschidem", "deschid"],
        ["deschidă", "deschis", "deschide"],
        OPEN,
    ),
    verb(
        ["close", "closes", "closed", "closing"],
        ["închid", "închizi", "închide", "închidem", "închid"],
        ["închidă", "închis", "închide"],
        OPEN,
    ),
    verb(
        ["drive", "drives", "drove", "driving"],
        ["conduc", "conduci", "conduce", "conducem", "conduc"],
        ["conducă", "condus", "conduce"],
        DRIVE,
    ),
    verb(
        ["repair", "repairs", "repaired", "repairing"],
        ["repar", "repari", "repară", "reparăm", "repară"],
        ["repare", "reparat", "repara"],
        DRIVE | PAINT,
    ),
    verb(
        ["wear", "wears", "wore", "wearing"],
        ["port", "porți", "poartă", "purtăm", "poartă"],
        ["poarte", "purtat", "purta"],
        WEAR,
    ),
    verb(
        ["wash", "washes", "washed", "washing"],
        ["spăl", "speli", "spală", "spălăm", "spală"],
        ["spele", "spălat", "spăla"],
        EAT | WEAR | DRIVE,
    ),
    verb(
        ["bring", "brings", "brought", "bringing"],
        ["aduc", "aduci", "aduce", "aducem", "aduc"],
        ["aducă", "adus", "aduce"],
        HOLD,
    ),
    verb(
        ["carry", "carries", "carried", "carrying"],
        ["car", "cari", "cară", "cărăm", "cară"],
        ["care", "cărat", "căra"],
        HOLD,
    ),
    verb(
        ["hide", "hides", "hid", "hiding"],
        ["ascund", "ascunzi", "ascunde", "ascundem", "ascund"],
        ["ascundă", "ascuns", "ascunde"],
        HOLD,
    ),
    verb(
        ["paint", "paints", "painted", "painting"],
        ["pictez", "pictezi", "pictează", "pictăm", "pictează"],
        ["picteze", "pictat", "picta"],
        PAINT,
    ),
    verb(
        ["draw", "draws", "drew", "drawing"],
        ["desenez", "desenezi", "desenează", "desenăm", "desenează"],
        ["deseneze", "desenat", "desena"],
        PAINT | HOLD,
    ),
    stative(["see", "sees", "saw", ""], ["văd", "vezi", "vede", "vedem", "văd"], ["vadă", "văzut", "vedea"]),
    stative(
        ["find", "finds", "found", ""],
        ["găsesc", "găsești", "găsește", "găsim", "găsesc"],
        ["găsească", "găsit", "găsi"],
    ),
    stative(["have", "has", "had", ""], ["am", "ai", "are", "avem", "au"], ["aibă", "avut", "avea"]),
    stative(
        ["want", "wants", "wanted", ""],
        ["vreau", "vrei", "vrea", "vrem", "vor"],
        ["vrea", "vrut", "vrea"],
    ),
];

/// Without an object.
pub(super) const INTRANSITIVE: &[Verb] = &[
    verb(
        ["sleep", "sleeps", "slept", "sleeping"],
        ["dorm", "dormi", "doarme", "dormim", "dorm"],
        ["doarmă", "dormit", "dormi"],
        0,
    ),
    verb(
        ["work", "works", "worked", "working"],
        ["lucrez", "lucrezi", "lucrează", "lucrăm", "lucrează"],
        ["lucreze", "lucrat", "lucra"],
        0,
    ),
    verb(
        ["sing", "sings", "sang", "singing"],
        ["cânt", "cânți", "cântă", "cântăm", "cântă"],
        ["cânte", "cântat", "cânta"],
        0,
    ),
    verb(
        ["run", "runs", "ran", "running"],
        ["alerg", "alergi", "aleargă", "alergăm", "aleargă"],
        ["alerge", "alergat", "alerga"],
        0,
    ),
    verb(
        ["laugh", "laughs", "laughed", "laughing"],
        ["râd", "râzi", "râde", "râdem", "râd"],
        ["râdă", "râs", "râde"],
        0,
    ),
    verb(
        ["cry", "cries", "cried", "crying"],
        ["plâng", "plângi", "plânge", "plângem", "plâng"],
        ["plângă", "plâns", "plânge"],
        0,
    ),
    verb(
        ["wait", "waits", "waited", "waiting"],
        ["aștept", "aștepți", "așteaptă", "așteptăm", "așteaptă"],
        ["aștepte", "așteptat", "aștepta"],
        0,
    ),
    verb(
        ["dance", "dances", "danced", "dancing"],
        ["dansez", "dansezi", "dansează", "dansăm", "dansează"],
        ["danseze", "dansat", "dansa"],
        0,
    ),
    verb(
        ["study", "studies", "studied", "studying"],
        ["studiez", "studiezi", "studiază", "studiem", "studiază"],
        ["studieze", "studiat", "studia"],
        0,
    ),
    verb(
        ["talk", "talks", "talked", "talking"],
        ["vorbesc", "vorbești", "vorbește", "vorbim", "vorbesc"],
        ["vorbească", "vorbit", "vorbi"],
        0,
    ),
];

/// To a goal.
pub(super) const MOTION: &[Verb] = &[
    verb(
        ["go", "goes", "went", "going"],
        ["merg", "mergi", "merge", "mergem", "merg"],
        ["meargă", "mers", "merge"],
        0,
    ),
    verb(
        ["travel", "travels", "travelled", "travelling"],
        ["călătoresc", "călătorești", "călătorește", "călătorim", "călătoresc"],
        ["călătorească", "călătorit", "călători"],
        0,
    ),
    verb(
        ["come", "comes", "came", "coming"],
        ["vin", "vii", "vine", "venim", "vin"],
        ["vină", "venit", "veni"],
        0,
    ),
];

/// When something was.
pub(super) const PAST: &[(&str, &str)] = &[
    ("yesterday", "ieri"),
    ("last week", "săptămâna trecută"),
    ("last year", "anul trecut"),
    ("last night", "aseară"),
    ("yesterday morning", "ieri dimineață"),
    ("two days ago", "acum două zile"),
    ("three weeks ago", "acum trei săptămâni"),
];
/// When something is.
pub(super) const NOW: &[(&str, &str)] =
    &[("now", "acum"), ("today", "azi"), ("at this moment", "în acest moment")];
/// When something always is.
pub(super) const ALWAYS: &[(&str, &str)] = &[
    ("every day", "în fiecare zi"),
    ("every morning", "în fiecare dimineață"),
    ("every week", "în fiecare săptămână"),
    ("every year", "în fiecare an"),
    ("every evening", "în fiecare seară"),
];
/// When something will be.
pub(super) const FUTURE: &[(&str, &str)] = &[
    ("tomorrow", "mâine"),
    ("next week", "săptămâna viitoare"),
    ("next year", "anul viitor"),
    ("tonight", "diseară"),
    ("tomorrow morning", "mâine dimineață"),
    ("in two days", "peste două zile"),
    ("in three weeks", "peste trei săptămâni"),
];

pub(super) const DAYS: &[(&str, &str)] = &[
    ("Monday", "luni"),
    ("Tuesday", "marți"),
    ("Wednesday", "miercuri"),
    ("Thursday", "joi"),
    ("Friday", "vineri"),
    ("Saturday", "sâmbătă"),
    ("Sunday", "duminică"),
];
pub(super) const MONTHS: &[(&str, &str, usize)] = &[
    ("January", "ianuarie", 31),
    ("February", "februarie", 28),
    ("March", "martie", 31),
    ("April", "aprilie", 30),
    ("May", "mai", 31),
    ("June", "iunie", 30),
    ("July", "iulie", 31),
    ("August", "august", 31),
    ("September", "septembrie", 30),
    ("October", "octombrie", 31),
    ("November", "noiembrie", 30),
    ("December", "decembrie", 31),
];
