//! The words of the generated grammar, with every form it uses.

/// What a noun agrees with: a Romanian neuter is masculine in the singular and feminine in the plural.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gender {
    M,
    F,
    N,
}

/// What can be done with a thing.
pub(super) const READ: u8 = 1;
pub(super) const EAT: u8 = 2;
pub(super) const OPEN: u8 = 4;
pub(super) const DRIVE: u8 = 8;
pub(super) const WEAR: u8 = 16;
pub(super) const HOLD: u8 = 32;
pub(super) const PAINT: u8 = 64;
/// All of these: whatever can be had.
pub(super) const ANY: u8 = 127;

/// A noun: English singular and plural, Romanian singular, singular with article, plural, plural with article.
pub(super) struct Noun {
    pub en: [&'static str; 2],
    pub ro: [&'static str; 4],
    pub gender: Gender,
    pub uses: u8,
}

const fn noun(en: [&'static str; 2], ro: [&'static str; 4], gender: Gender, uses: u8) -> Noun {
    Noun { en, ro, gender, uses }
}

use Gender::{F, M, N};

/// What is had, bought, read, eaten.
pub(super) const THINGS: &[Noun] = &[
    noun(["book", "books"], ["carte", "cartea", "cărți", "cărțile"], F, READ | HOLD),
    noun(["letter", "letters"], ["scrisoare", "scrisoarea", "scrisori", "scrisorile"], F, READ | HOLD | OPEN),
    noun(["newspaper", "newspapers"], ["ziar", "ziarul", "ziare", "ziarele"], N, READ | HOLD),
    noun(["magazine", "magazines"], ["revistă", "revista", "reviste", "revistele"], F, READ | HOLD),
    noun(["novel", "novels"], ["roman", "romanul", "romane", "romanele"], N, READ | HOLD),
    noun(["poem", "poems"], ["poezie", "poezia", "poezii", "poeziile"], F, READ),
    noun(["apple", "apples"], ["măr", "mărul", "mere", "merele"], N, EAT | HOLD),
    noun(["pear", "pears"], ["pară", "para", "pere", "perele"], F, EAT | HOLD),
    noun(["cake", "cakes"], ["tort", "tortul", "torturi", "torturile"], N, EAT),
    noun(["orange", "oranges"], ["portocală", "portocala", "portocale", "portocalele"], F, EAT | HOLD),
    noun(["egg", "eggs"], ["ou", "oul", "ouă", "ouăle"], N, EAT | HOLD),
    noun(["tomato", "tomatoes"], ["roșie", "roșia", "roșii", "roșiile"], F, EAT | HOLD),
    noun(["potato", "potatoes"], ["cartof", "cartoful", "cartofi", "cartofii"], M, EAT | HOLD),
    noun(
        ["cucumber", "cucumbers"],
        ["castravete", "castravetele", "castraveți", "castraveții"],
        M,
        EAT | HOLD,
    ),
    noun(["door", "doors"], ["ușă", "ușa", "uși", "ușile"], F, OPEN | PAINT),
    noun(["window", "windows"], ["fereastră", "fereastra", "ferestre", "ferestrele"], F, OPEN | PAINT),
    noun(["box", "boxes"], ["cutie", "cutia", "cutii", "cutiile"], F, OPEN | HOLD | PAINT),
    noun(["bag", "bags"], ["geantă", "geanta", "genți", "gențile"], F, OPEN | HOLD),
    noun(["gate", "gates"], ["poartă", "poarta", "porți", "porțile"], F, OPEN | PAINT),
    noun(["drawer", "drawers"], ["sertar", "sertarul", "sertare", "sertarele"], N, OPEN),
    noun(["car", "cars"], ["mașină", "mașina", "mașini", "mașinile"], F, DRIVE | PAINT),
    noun(["truck", "trucks"], ["camion", "camionul", "camioane", "camioanele"], N, DRIVE | PAINT),
    noun(["tractor", "tractors"], ["tractor", "tractorul", "tractoare", "tractoarele"], N, DRIVE | PAINT),
    noun(["bus", "buses"], ["autobuz", "autobuzul", "autobuze", "autobuzele"], N, DRIVE | PAINT),
    noun(["coat", "coats"], ["palton", "paltonul", "paltoane", "paltoanele"], N, WEAR | HOLD),
    noun(["hat", "hats"], ["pălărie", "pălăria", "pălării", "pălăriile"], F, WEAR | HOLD),
    noun(["dress", "dresses"], ["rochie", "rochia", "rochii", "rochiile"], F, WEAR | HOLD),
    noun(["shirt", "shirts"], ["cămașă", "cămașa", "cămăși", "cămășile"], F, WEAR | HOLD),
    noun(["sweater", "sweaters"], ["pulover", "puloverul", "pulovere", "puloverele"], N, WEAR | HOLD),
    noun(["shoe", "shoes"], ["pantof", "pantoful", "pantofi", "pantofii"], M, WEAR | HOLD),
    noun(["chair", "chairs"], ["scaun", "scaunul", "scaune", "scaunele"], N, HOLD | PAINT),
    noun(["table", "tables"], ["masă", "masa", "mese", "mesele"], F, PAINT),
    noun(["cup", "cups"], ["ceașcă", "ceașca", "cești", "ceștile"], F, HOLD),
    noun(["glass", "glasses"], ["pahar", "paharul", "pahare", "paharele"], N, HOLD),
    noun(["flower", "flowers"], ["floare", "floarea", "flori", "florile"], F, HOLD | PAINT),
    noun(["picture", "pictures"], ["tablou", "tabloul", "tablouri", "tablourile"], N, HOLD | PAINT),
    noun(["key", "keys"], ["cheie", "cheia", "chei", "cheile"], F, HOLD),
    noun(["pencil", "pencils"], ["creion", "creionul", "creioane", "creioanele"], N, HOLD),
    noun(["umbrella", "umbrellas"], ["umbrelă", "umbrela", "umbrele", "umbrelele"], F, OPEN | HOLD),
    noun(["bicycle", "bicycles"], ["bicicletă", "bicicleta", "biciclete", "bicicletele"], F, PAINT),
    noun(["house", "houses"], ["casă", "casa", "case", "casele"], F, PAINT),
    noun(["clock", "clocks"], ["ceas", "ceasul", "ceasuri", "ceasurile"], N, HOLD),
    noun(["lamp", "lamps"], ["lampă", "lampa", "lămpi", "lămpile"], F, HOLD),
    noun(["tree", "trees"], ["copac", "copacul", "copaci", "copacii"], M, PAINT),
];

/// Who does something. Names are in [`NAMES`].
pub(super) const PEOPLE: &[Noun] = &[
    noun(["boy", "boys"], ["băiat", "băiatul", "băieți", "băieții"], M, 0),
    noun(["girl", "girls"], ["fată", "fata", "fete", "fetele"], F, 0),
    noun(["man", "men"], ["bărbat", "bărbatul", "bărbați", "bărbații"], M, 0),
    noun(["woman", "women"], ["femeie", "femeia", "femei", "femeile"], F, 0),
    noun(["child", "children"], ["copil", "copilul", "copii", "copiii"], M, 0),
    noun(["teacher", "teachers"], ["profesor", "profesorul", "profesori", "profesorii"], M, 0),
    noun(["doctor", "doctors"], ["medic", "medicul", "medici", "medicii"], M, 0),
    noun(["student", "students"], ["student", "studentul", "studenți", "studenții"], M, 0),
    noun(["nurse", "nurses"], ["asistentă", "asistenta", "asistente", "asistentele"], F, 0),
    noun(["farmer", "farmers"], ["fermier", "fermierul", "fermieri", "fermierii"], M, 0),
    noun(["driver", "drivers"], ["șofer", "șoferul", "șoferi", "șoferii"], M, 0),
    noun(["cook", "cooks"], ["bucătar", "bucătarul", "bucătari", "bucătarii"], M, 0),
    noun(["baker", "bakers"], ["brutar", "brutarul", "brutari", "brutarii"], M, 0),
    noun(["dancer", "dancers"], ["dansatoare", "dansatoarea", "dansatoare", "dansatoarele"], F, 0),
    noun(["queen", "queens"], ["regină", "regina", "regine", "reginele"], F, 0),
    noun(["king", "kings"], ["rege", "regele", "regi", "regii"], M, 0),
    noun(["actor", "actors"], ["actor", "actorul", "actori", "actorii"], M, 0),
    noun(["actress", "actresses"], ["actriță", "actrița", "actrițe", "actrițele"], F, 0),
    noun(["neighbour", "neighbours"], ["vecin", "vecinul", "vecini", "vecinii"], M, 0),
    noun(["friend", "friends"], ["prieten", "prietenul", "prieteni", "prietenii"], M, 0),
];

/// Who is somebody's.
pub(super) const RELATIVES: &[Noun] = &[
    noun(["brother", "brothers"], ["frate", "fratele", "frați", "frații"], M, 0),
    noun(["sister", "sisters"], ["soră", "sora", "surori", "surorile"], F, 0),
    noun(["son", "sons"], ["fiu", "fiul", "fii", "fiii"], M, 0),
    noun(["daughter", "daughters"], ["fiică", "fiica", "fiice", "fiicele"], F, 0),
    noun(["friend", "friends"], ["prieten", "prietenul", "prieteni", "prietenii"], M, 0),
    noun(["neighbour", "neighbours"], ["vecin", "vecinul", "vecini", "vecinii"], M, 0),
    noun(["teacher", "teachers"], ["profesor", "profesorul", "profesori", "profesorii"], M, 0),
];

/// First names, with the form that says whose.
pub(super) const NAMES: &[(&str, &str, Gender)] = &[
    ("Ana", "Anei", F),
    ("Maria", "Mariei", F),
    ("Elena", "Elenei", F),
    ("Ioana", "Ioanei", F),
    ("Irina", "Irinei", F),
    ("Ion", "lui Ion", M),
    ("Andrei", "lui Andrei", M),
    ("Mihai", "lui Mihai", M),
    ("Radu", "lui Radu", M),
    ("Victor", "lui Victor", M),
];

/// Where something is: a noun with its prepositions. Romanian "în" joins the article: într-un, într-o.
pub(super) struct Place {
    pub noun: Noun,
    pub en: &'static str,
    pub ro: &'static str,
}

const fn place(en: &'static str, ro: &'static str, noun: Noun) -> Place {
    Place { noun, en, ro }
}

pub(super) const PLACES: &[Place] = &[
    place("in", "în", noun(["garden", "gardens"], ["grădină", "grădina", "grădini", "grădinile"], F, 0)),
    place(
        "in",
        "în",
        noun(["kitchen", "kitchens"], ["bucătărie", "bucătăria", "bucătării", "bucătăriile"], F, 0),
    ),
    place("in", "în", noun(["park", "parks"], ["parc", "parcul", "parcuri", "parcurile"], N, 0)),
    place(
        "in",
        "în",
        noun(["library", "libraries"], ["bibliotecă", "biblioteca", "biblioteci", "bibliotecile"], F, 0),
    ),
    place("in", "în", noun(["city", "cities"], ["oraș", "orașul", "orașe", "orașele"], N, 0)),
    place("in", "în", noun(["village", "villages"], ["sat", "satul", "sate", "satele"], N, 0)),
    place("in", "în", noun(["hotel", "hotels"], ["hotel", "hotelul", "hoteluri", "hotelurile"], N, 0)),
    place("in", "în", noun(["room", "rooms"], ["cameră", "camera", "camere", "camerele"], F, 0)),
    place("in", "în", noun(["office", "offices"], ["birou", "biroul", "birouri", "birourile"], N, 0)),
    place("at", "la", noun(["station", "stations"], ["gară", "gara", "gări", "gările"], F, 0)),
    place(
        "at",
        "la",
        noun(
            ["restaurant", "restaurants"],
            ["restaurant", "restaurantul", "restaurante", "restaurantele"],
            N,
            0,
        ),
    ),
    place("at", "la", noun(["museum", "museums"], ["muzeu", "muzeul", "muzee", "muzeele"], N, 0)),
    place("at", "la", noun(["theatre", "theatres"], ["teatru", "teatrul", "teatre", "teatrele"], N, 0)),
    place("near", "lângă", noun(["river", "rivers"], ["râu", "râul", "râuri", "râurile"], N, 0)),
    place(
        "near",
        "lângă",
        noun(["church", "churches"], ["biserică", "biserica", "biserici", "bisericile"], F, 0),
    ),
    place("near", "lângă", noun(["bridge", "bridges"], ["pod", "podul", "poduri", "podurile"], N, 0)),
];

/// Where things lie.
pub(super) const SURFACES: &[Place] = &[
    place("on", "pe", noun(["table", "tables"], ["masă", "masa", "mese", "mesele"], F, 0)),
    place("on", "pe", noun(["chair", "chairs"], ["scaun", "scaunul", "scaune", "scaunele"], N, 0)),
    place("on", "pe", noun(["shelf", "shelves"], ["raft", "raftul", "rafturi", "rafturile"], N, 0)),
    place("on", "pe", noun(["bed", "beds"], ["pat", "patul", "paturi", "paturile"], N, 0)),
    place("under", "sub", noun(["table", "tables"], ["masă", "masa", "mese", "mesele"], F, 0)),
    place("under", "sub", noun(["bed", "beds"], ["pat", "patul", "paturi", "paturile"], N, 0)),
    place("in", "în", noun(["box", "boxes"], ["cutie", "cutia", "cutii", "cutiile"], F, 0)),
    place("in", "în", noun(["bag", "bags"], ["geantă", "geanta", "genți", "gențile"], F, 0)),
];

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
