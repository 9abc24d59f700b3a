//! The words of the generated world: few, so that a small model meets each often.

pub(super) const WOMEN: [&str; 20] = [
    "Anna", "Clara", "Dora", "Elena", "Freya", "Greta", "Hanna", "Ida", "Julia", "Karin", "Lena", "Maria",
    "Nora", "Olga", "Petra", "Rosa", "Sofia", "Tilda", "Vera", "Wanda",
];
pub(super) const MEN: [&str; 20] = [
    "Adam", "Boris", "Carl", "Daniel", "Erik", "Felix", "Georg", "Hugo", "Ivan", "Jonas", "Karl", "Lukas",
    "Martin", "Nils", "Oscar", "Paul", "Rolf", "Simon", "Tomas", "Viktor",
];
pub(super) const SURNAMES: [&str; 24] = [
    "Adler", "Berg", "Costa", "Dahl", "Ekman", "Falk", "Greco", "Holm", "Iversen", "Jensen", "Kovacs",
    "Lind", "Moser", "Novak", "Olsen", "Popa", "Rossi", "Sandor", "Toth", "Ulrich", "Vogel", "Weber",
    "Young", "Zeller",
];
pub(super) const TOWNS: [&str; 16] = [
    "Arad", "Bergen", "Cadiz", "Delft", "Essen", "Fulda", "Genoa", "Halle", "Iasi", "Jena", "Kiel", "Lund",
    "Malmo", "Nantes", "Oslo", "Turku",
];
/// Each with "a".
pub(super) const JOBS: [&str; 16] = [
    "baker",
    "barber",
    "carpenter",
    "doctor",
    "farmer",
    "gardener",
    "judge",
    "lawyer",
    "miller",
    "nurse",
    "painter",
    "sailor",
    "singer",
    "tailor",
    "teacher",
    "writer",
];

/// Verbs that mean the same: base form and past.
pub(super) const VERBS: [[[&str; 2]; 2]; 8] = [
    [["buy", "bought"], ["purchase", "purchased"]],
    [["find", "found"], ["discover", "discovered"]],
    [["lose", "lost"], ["mislay", "mislaid"]],
    [["hide", "hid"], ["conceal", "concealed"]],
    [["mend", "mended"], ["repair", "repaired"]],
    [["build", "built"], ["construct", "constructed"]],
    [["collect", "collected"], ["gather", "gathered"]],
    [["show", "showed"], ["display", "displayed"]],
];
pub(super) const COUNTS: [&str; 14] = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "a dozen",
    "more than twenty",
    "about thirty",
    "forty",
    "almost fifty",
];
pub(super) const LOOKS: [&str; 10] =
    ["red", "blue", "green", "silver", "wooden", "heavy", "painted", "broken", "golden", "tiny"];
pub(super) const THINGS: [&str; 16] = [
    "lamps", "clocks", "boats", "boxes", "chairs", "mirrors", "carts", "drums", "statues", "bells", "tables",
    "masks", "wheels", "swords", "lanterns", "kites",
];

pub(super) const QUALITIES: [&str; 6] = ["old", "new", "quiet", "busy", "stone", "small"];
pub(super) const PLACES: [&str; 16] = [
    "market", "bridge", "harbour", "mill", "church", "station", "castle", "garden", "library", "square",
    "inn", "school", "tower", "farm", "theatre", "museum",
];
pub(super) const BESIDE: [&str; 3] = ["near", "behind", "beyond"];
pub(super) const LANDMARKS: [&str; 8] =
    ["river", "forest", "lake", "town hall", "city wall", "hill", "canal", "railway"];

pub(super) const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub(super) const MONTHS: [&str; 6] = ["January", "March", "May", "June", "August", "October"];
pub(super) const SEASONS: [&str; 4] = ["spring", "summer", "autumn", "winter"];
pub(super) const YEARS: [&str; 8] = ["1902", "1905", "1911", "1918", "1924", "1930", "1936", "1949"];
pub(super) const EVENTS: [&str; 6] = ["storm", "harvest", "wedding", "flood", "fair", "election"];

/// What says nothing about anybody.
pub(super) const ASIDES: [&str; 6] = [
    "It rained for most of the week.",
    "The roads were bad in those years.",
    "Nobody in the town talked about it.",
    "The newspapers wrote about other things.",
    "The weather was fine that year.",
    "Few letters from those years remain.",
];
