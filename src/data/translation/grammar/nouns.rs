//! The nouns of the generated grammar, with every form it uses.

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
