//! Figures, tables and blocks: what they contain, what they refuse, that they repeat exactly.

use polars::df;
use proptest::prelude::*;
use reloss::display::{mean_sd, Best, Block, Figure, Panel, Table};
use reloss::Error;

/// Every text in an SVG; fails where it is not well-formed XML.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    let nodes = document.descendants().filter(|n| n.tag_name().name() == "text");
    nodes.map(|n| n.text().unwrap_or("").to_string()).collect()
}

fn count(svg: &str, tag: &str) -> usize {
    let document = roxmltree::Document::parse(svg).expect("well-formed");
    document.descendants().filter(|n| n.tag_name().name() == tag).count()
}

/// Width, height and RGB bytes of a PNG.
fn decode(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("small")];
    let info = reader.next_frame(&mut bytes).expect("pixels");
    (info.width, info.height, bytes)
}

/// The red, green and blue of the pixel at CSS position (x, y).
fn pixel(image: &(u32, u32, Vec<u8>), x: usize, y: usize) -> [u8; 3] {
    let start = 3 * (2 * y * image.0 as usize + 2 * x);
    [image.2[start], image.2[start + 1], image.2[start + 2]]
}

/// How many pixels have this colour.
fn pixels_of(image: &(u32, u32, Vec<u8>), color: [u8; 3]) -> usize {
    image.2.chunks(3).filter(|p| *p == color).count()
}

const BLUE: [u8; 3] = [0x00, 0x72, 0xb2];
const VERMILLION: [u8; 3] = [0xd5, 0x5e, 0x00];

fn curves() -> Panel {
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let rise =
        |top: f64| -> Vec<(f64, f64)> { x.iter().map(|&x| (x, top * (1.0 - (-x / 9.0).exp()))).collect() };
    let band = |top: f64, by: f64| -> Vec<f64> { rise(top).iter().map(|p| p.1 + by).collect() };
    Panel::new("Training")
        .x("epoch")
        .y("validation accuracy")
        .band("cross-entropy", &x, &band(0.8, -0.05), &band(0.8, 0.05))
        .line("cross-entropy", &rise(0.8))
        .line("learned", &rise(0.9))
        .level("chance", 0.1)
        .note("5 seeds")
}

fn scatter() -> Panel {
    let points = |slope: f64| -> Vec<(f64, f64)> {
        (0..40).map(|i| (f64::from(i) / 10.0, 1.0 - slope * f64::from(i * 7 % 40) / 40.0)).collect()
    };
    Panel::new("Held out").x("loss (nats)").y("accuracy").points("a", &points(0.5)).points("b", &points(0.9))
}

#[test]
fn svg_names_everything() {
    let svg = Figure::new().panel(curves()).panel(scatter()).svg().unwrap();
    let texts = texts(&svg);
    for wanted in
        ["Training", "epoch", "validation accuracy", "cross-entropy", "learned", "chance", "5 seeds"]
    {
        assert_eq!(texts.iter().filter(|t| *t == wanted).count(), 1, "{wanted} in {texts:?}");
    }
    for wanted in ["Held out", "loss (nats)", "a", "b", "0.0", "0.8", "40", "20"] {
        assert!(texts.iter().any(|t| t == wanted), "{wanted} in {texts:?}");
    }
    assert_eq!(count(&svg, "circle"), 40 + 1, "the first series and its sample in the legend");
    assert!(svg.starts_with("<svg width=\"840\" height=\"320\" viewBox=\"0 0 8400 3200\""));
    assert!(!svg.contains(" id="), "names could clash between cells");
}

#[test]
fn user_text_is_escaped() {
    let nasty = "a<b & \"c\" 'd' ]]> \u{7}\nend";
    let shown = "a<b & \"c\" 'd' ]]> end";
    let panel = Panel::new(nasty).x(nasty).y(nasty).note(nasty).line(nasty, &[(0.0, 0.0), (1.0, 1.0)]);
    let bars = Panel::new("").bars("x", &["<&>"], &[1.0]);
    let figure = Figure::new().panel(panel).panel(bars);
    let svg = figure.svg().unwrap();
    let found = texts(&svg);
    assert!(found.iter().filter(|t| t.starts_with("a<b & \"c\"")).count() == 5, "{found:?}");
    assert!(found.iter().any(|t| t == shown), "{found:?}");
    assert!(found.iter().any(|t| t == "<&>"));

    let block = Block::new()
        .paragraph(nasty)
        .figure(figure)
        .table(Table::new(df!("<i>" => ["<script>"]).unwrap(), "\"&"));
    let html = block.html().unwrap();
    let document = roxmltree::Document::parse_with_options(
        &format!("<x>{html}</x>"),
        roxmltree::ParsingOptions::default(),
    )
    .map(|d| d.descendants().filter(|n| n.tag_name().name() == "script").count());
    assert_eq!(document.unwrap(), 0);
    assert!(html.contains("&lt;script&gt;") && html.contains("&lt;i&gt;") && html.contains("&quot;&amp;"));
}

#[test]
fn block_image_is_the_figure() {
    let figure = Figure::new().panel(scatter());
    let html = Block::new().figure(figure.clone()).html().unwrap();
    let url = html.split("data:image/svg+xml,").nth(1).unwrap().split('"').next().unwrap();
    let mut bytes = Vec::new();
    let mut rest = url.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    let decoded = String::from_utf8(bytes).unwrap();
    assert_eq!(texts(&decoded), texts(&figure.svg().unwrap()));
    assert!(Block::new().png().unwrap().is_none());
}

#[test]
fn png_has_size_and_ink() {
    let image = decode(&Figure::new().panel(curves()).panel(scatter()).png().unwrap());
    assert_eq!((image.0, image.1), (1680, 640));
    assert_eq!(image.2.len(), 3 * 1680 * 640);
    assert_eq!(pixel(&image, 2, 2), [255; 3], "white paper");
    assert!(pixels_of(&image, BLUE) > 500, "the first line");
    assert!(pixels_of(&image, VERMILLION) > 500, "the second line");
    assert!(pixels_of(&image, [0x22; 3]) > 500, "texts");

    // Nothing touches the border: nothing is cut off.
    let (wide, high) = (840, 320);
    for x in 0..wide {
        assert_eq!((pixel(&image, x, 0), pixel(&image, x, high - 1)), ([255; 3], [255; 3]), "x {x}");
    }
    for y in 0..high {
        assert_eq!((pixel(&image, 0, y), pixel(&image, wide - 1, y)), ([255; 3], [255; 3]), "y {y}");
    }
}

#[test]
fn pictures_are_grey_with_layers_over_them() {
    let panel = Panel::new("P").picture(2, &[0.0, 1.0, 2.0, 0.5]).points("joint", &[(0.0, 1.0)]);
    let svg = Figure::new().panel(panel).svg().unwrap();
    for colour in ["#000000", "#FFFFFF", "#808080"] {
        assert!(svg.to_uppercase().contains(&colour.to_uppercase()), "{colour}");
    }
    assert!(svg.contains("joint"));
    let ragged = Figure::new().panel(Panel::new("P").picture(2, &[0.0; 3])).svg();
    assert!(ragged.unwrap_err().to_string().contains("3 values in rows of 2"));
}

#[test]
fn named_heat_map_writes_names_and_values() {
    let panel =
        Panel::new("P").heat_named("gain", &["from a", "from b"], &["to c", "to d"], &[-0.5, 1.25, 2.0, 0.0]);
    let svg = Figure::new().panel(panel).svg().unwrap();
    for text in ["from a", "from b", "to c", "to d", "−0.5", "1.25", ">2<", ">0<"] {
        assert!(
            svg.contains(text) || svg.contains(&text.replace('>', ">\n").replace('<', "\n<")),
            "{text}: {svg}"
        );
    }
}

#[test]
fn heat_map_shades_its_cells() {
    // Low is white, high is dark blue; the first row is at the top.
    let image =
        decode(&Figure::new().panel(Panel::new("P").heat("", 2, &[0.0, 1.0, 1.0, 0.0])).png().unwrap());
    let (top, bottom, left, right) = (100, 250, 100, 330);
    assert_eq!(pixel(&image, left, top), [255; 3]);
    assert_eq!(pixel(&image, right, top), [8, 34, 84]);
    assert_eq!(pixel(&image, left, bottom), [8, 34, 84]);
    assert_eq!(pixel(&image, right, bottom), [255; 3]);
    // Named cells of both signs: white at 0, orange below it.
    let signed = Panel::new("P").heat_named("", &["a", "b"], &["c", "d"], &[0.0, 2.0, -2.0, 0.0]);
    let image = decode(&Figure::new().panel(signed).png().unwrap());
    let (top, bottom, left, right) = (80, 270, 80, 350);
    let at = |x, y| pixel(&image, x, y);
    assert_eq!([at(left, top), at(right, top), at(left, bottom)], [[255; 3], [8, 34, 84], [110, 40, 0]]);
}

#[test]
fn showing_never_panics() {
    Figure::new().panel(scatter()).evcxr_display();
    Figure::new().evcxr_display();
    results().evcxr_display();
    results().best("none", Best::Lowest).evcxr_display();
    Block::new().paragraph("p").figure(Figure::new()).evcxr_display();
    Block::new().figure(Figure::new().panel(scatter())).table(results()).evcxr_display();
}

#[test]
fn same_input_same_bytes() {
    let figure = || Figure::new().panel(curves()).panel(scatter()).columns(1);
    assert_eq!(figure().svg().unwrap(), figure().svg().unwrap());
    assert_eq!(figure().png().unwrap(), figure().png().unwrap());
}

/// What a figure of this one panel is refused for.
fn refusal(panel: Panel) -> String {
    let error = Figure::new().panel(panel).svg().unwrap_err();
    assert!(matches!(error, Error::Draw { .. } | Error::Parameter { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn bad_data_are_refused_by_name() {
    assert_eq!(Figure::new().svg().unwrap_err().to_string(), "drawing figure: it has no panels");
    assert_eq!(Figure::new().png().unwrap_err().to_string(), "drawing figure: it has no panels");
    assert_eq!(refusal(Panel::new("p")), "drawing panel `p`: it has no layers");
    let p = || Panel::new("p");
    let place = "drawing panel `p`, series `s`: ";
    let cases = [
        (p().line("s", &[]), "it has no points"),
        (p().points("s", &[(0.0, 1.0), (f64::NAN, 1.0)]), "x at index 1 is NaN, not finite"),
        (p().points("s", &[(0.0, f64::INFINITY)]), "y at index 0 is inf, not finite"),
        (p().log_x().line("s", &[(1.0, 1.0), (0.0, 1.0)]), "x at index 1 is 0, on a log axis"),
        (p().log_y().level("s", -1.0), "y at index 0 is -1, on a log axis"),
        (p().band("s", &[0.0, 1.0], &[0.0], &[1.0, 1.0]), "expected 2 values of low, got 1"),
        (p().bars("s", &["a", "b"], &[1.0]), "expected 2 values of heights, got 1"),
        (p().bars_with_spread("s", &["a"], &[1.0], &[1.0, 2.0]), "expected 1 values of spreads, got 2"),
        (p().bars("s", &[], &[]), "it has no bars"),
        (p().histogram("s", &[1.0], 0), "0 bins, outside 1..=1000"),
        (p().histogram("s", &[], 3), "it has no values"),
        (p().heat("s", 2, &[1.0, 2.0, 3.0]), "3 values in rows of 2"),
        (p().heat_named("s", &["a"], &["b", "c"], &[0.0; 4]), "expected 2 values of row names, got 1"),
    ];
    for (panel, reason) in cases {
        assert_eq!(refusal(panel), format!("{place}{reason}"));
    }
    let far = refusal(p().y("z").points("s", &[(0.0, -1.7e308), (0.0, 1.7e308)]));
    assert!(far.starts_with("drawing axis `z`: the data reach from"), "{far}");
    for (low, high) in [(1.0, 1.0), (2.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        assert!(refusal(scatter().x_range(low, high)).starts_with("parameter `range`"), "{low} {high}");
    }
    assert!(refusal(scatter().log_y().y_range(0.0, 1.0)).contains("0 < low < high"));
    for columns in [0, 7] {
        let error = Figure::new().panel(scatter()).columns(columns).svg().unwrap_err();
        assert_eq!(error.to_string(), format!("parameter `columns`: {columns} is outside 1..=6"));
    }
    assert!(Figure::new().panel(scatter()).panel_size(100, 320).svg().is_err());
}

#[test]
fn constant_and_tiny_ranges_get_ticks() {
    let ticks =
        |points: &[(f64, f64)]| texts(&Figure::new().panel(Panel::new("").line("", points)).svg().unwrap());
    let constant = ticks(&[(0.0, 0.5), (1.0, 0.5)]);
    for wanted in ["0.46", "0.50", "0.54"] {
        assert!(constant.iter().any(|t| t == wanted), "{constant:?}");
    }
    let tiny = ticks(&[(0.0, 0.912345), (1.0, 0.9123456)]);
    assert!(tiny.iter().any(|t| t == "0.9123455"), "{tiny:?}");
    let zero = ticks(&[(0.0, 0.0), (0.0, 0.0)]);
    assert!(zero.iter().any(|t| t == "−1.0") && zero.iter().any(|t| t == "0.0"), "{zero:?}");
    let small = ticks(&[(0.0, 1e-7), (1e8, -1e-7)]);
    assert!(small.iter().any(|t| t == "1×10⁻⁷") && small.iter().any(|t| t == "6×10⁷"), "{small:?}");
    let log = Panel::new("").log_x().log_y().line("", &[(1e-6, 1.0), (1e6, 1000.0)]);
    let log = texts(&Figure::new().panel(log).svg().unwrap());
    for wanted in ["1", "10", "100", "1000", "10⁻⁶", "10⁶"] {
        assert!(log.iter().any(|t| t == wanted), "{wanted} in {log:?}");
    }
}

#[test]
fn fixed_ranges_cut_what_lies_outside() {
    let wave: Vec<(f64, f64)> =
        (0..200).map(|i| (f64::from(i) / 20.0, (f64::from(i) / 20.0).sin() * 5.0)).collect();
    let panel = Panel::new("").y_range(-1.0, 1.0).line("s", &wave).points("s", &wave);
    let svg = Figure::new().panel(panel).svg().unwrap();
    let inside = wave.iter().filter(|p| p.1.abs() <= 1.0).count();
    assert_eq!(count(&svg, "circle"), inside + 1);
    let document = roxmltree::Document::parse(&svg).unwrap();
    for path in document.descendants().filter_map(|n| n.attribute("points")) {
        for pair in path.split_whitespace() {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=4200.0).contains(&x) && (0.0..=3200.0).contains(&y), "{pair}");
        }
    }
}

#[test]
fn long_curves_stay_small() {
    let long: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i), f64::from(i * 7919 % 1000))).collect();
    let svg = Figure::new().panel(Panel::new("").line("s", &long)).svg().unwrap();
    assert!(svg.len() < 60_000, "{} bytes", svg.len());
}

#[test]
fn legends_that_need_room_get_it() {
    let many = (0..40).fold(Panel::new("many"), |panel, i| {
        panel.line(&format!("a series with number {i}"), &[(0.0, f64::from(i)), (1.0, 0.0)])
    });
    let svg = Figure::new().panel(many).svg().unwrap();
    assert!(texts(&svg).iter().any(|t| t == "a series with number 39"));
    let document = roxmltree::Document::parse(&svg).unwrap();
    let height: u32 = document.root_element().attribute("height").unwrap().parse().unwrap();
    assert!(height > 320, "{height}");
}

#[test]
fn files_are_written_by_ending() {
    let folder = tempfile::tempdir().unwrap();
    let figure = Figure::new().panel(scatter());
    figure.save(folder.path().join("f.svg")).unwrap();
    figure.save(folder.path().join("f.PNG")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("f.svg")).unwrap(), figure.svg().unwrap());
    assert_eq!(std::fs::read(folder.path().join("f.PNG")).unwrap(), figure.png().unwrap());
    assert!(matches!(figure.save(folder.path().join("f.gif")), Err(Error::Parameter { .. })));
    assert!(matches!(figure.save(folder.path().join("none/f.svg")), Err(Error::Io { .. })));

    let table = Table::new(df!("n" => [1, 2], "x" => [0.5, 0.25]).unwrap(), "t");
    table.save(folder.path().join("t.csv")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("t.csv")).unwrap(), "n,x\n1,0.5\n2,0.25\n");
    table.save(folder.path().join("t.md")).unwrap();
    assert!(table.save(folder.path().join("t.xlsx")).is_err());
    let block = Block::new().figure(figure).table(table);
    block.save(folder.path().join("b.html")).unwrap();
    let page = std::fs::read_to_string(folder.path().join("b.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
}

fn results() -> Table {
    let frame = df!(
        "loss" => ["cross-entropy", "learned | ours", "none"],
        "seeds" => [Some(5), Some(-3), None],
        "accuracy" => [Some(0.9125), Some(0.93), None],
        "test" => ["0.91 ± 0.02", "0.93 ± 0.01", "0.1 ± 0.3"],
        "p" => [1e-7, f64::NAN, 0.25],
    );
    Table::new(frame.unwrap(), "Digits & co").best("accuracy", Best::Highest).best("test", Best::Lowest)
}

#[test]
fn table_text_is_exact() {
    let wanted = "\
Digits & co

| loss            | seeds |   accuracy |          test |      p |
|:----------------|------:|-----------:|--------------:|-------:|
| cross-entropy   |     5 |     0.9125 |   0.91 ± 0.02 | 1×10⁻⁷ |
| learned \\| ours |    −3 | **0.9300** |   0.93 ± 0.01 |    NaN |
| none            |     – |          – | **0.1 ± 0.3** |   0.25 |
";
    assert_eq!(results().text().unwrap(), wanted);
    let short = results().rows(1).text().unwrap();
    assert!(short.ends_with("1×10⁻⁷ |\n\n… and 2 more rows\n"), "{short}");
    assert_eq!(format!("{:?}", results()), "Table(\"Digits & co\", 3 rows × 5 columns)");
}

#[test]
fn table_html_is_exact() {
    let frame = df!("loss" => ["a<b"], "x" => [2.0]).unwrap();
    let table = Table::new(frame, "T").decimals("x", 2).best("x", Best::Lowest);
    let style = |side: &str, rule: &str| {
        format!("align=\"{side}\" style=\"text-align: {side}; padding: 0.25em 0.7em{rule}\"")
    };
    let rule = "; border-bottom: 1px solid #888";
    let wanted = [
        "<table style=\"border-collapse: collapse; margin: 0.5em 0\">".to_string(),
        "<caption style=\"caption-side: top; text-align: left; padding: 0.2em 0\">T</caption>".into(),
        format!(
            "<thead><tr><th {}>loss</th><th {}>x</th></tr></thead>",
            style("left", rule),
            style("right", rule)
        ),
        "<tbody>".into(),
        format!("<tr><td {}>a&lt;b</td><td {}><b>2.00</b></td></tr>", style("left", ""), style("right", "")),
        "</tbody>\n</table>\n".into(),
    ];
    assert_eq!(table.html().unwrap(), wanted.join("\n"));
}

#[test]
fn tables_refuse_unknown_columns() {
    let table = || Table::new(df!("x" => [2.0]).unwrap(), "T");
    let error = table().best("y", Best::Highest).html().unwrap_err();
    assert_eq!(error.to_string(), "parameter `best`: the table `T` has no column `y`");
    assert!(matches!(table().decimals("y", 1).text(), Err(Error::Parameter { name: "decimals", .. })));
    assert!(table().decimals("x", 18).text().is_err());
    let empty = Table::new(polars::prelude::DataFrame::empty(), "");
    assert!(empty.html().is_ok() && empty.text().is_ok());
}

#[test]
fn mean_and_spread_round_together() {
    // sd of (1, 2, 3, 4) is √(5/3) = 1.29.
    assert_eq!(mean_sd(&[1.0, 2.0, 3.0, 4.0]), "2.5 ± 1.3");
    // sd of (−1, 1)·0.0704 is 0.0704·√2 = 0.0996, which rounds to 0.10: two digits, not three.
    assert_eq!(mean_sd(&[-0.0704, 0.0704]), "0.00 ± 0.10");
    assert_eq!(mean_sd(&[-1.0, -1.0]), "−1 ± 0");
    assert_eq!(mean_sd(&[1.0, f64::NAN]), "NaN");
    assert_eq!(mean_sd(&[1.7e308, -1.7e308]), "NaN");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Any finite data are drawn or refused with a reason: no panic, and well-formed.
    #[test]
    fn any_data_are_drawn_or_refused(
        points in prop::collection::vec((any::<f64>(), any::<f64>()), 1..6),
        scale in prop::sample::select(vec![1.0, 1e-300, 1e-12]),
        logs in any::<(bool, bool)>(),
        title in ".{0,40}",
    ) {
        let points: Vec<(f64, f64)> = points.iter().map(|p| (p.0 * scale, (p.1 * scale).abs())).collect();
        let mut panel = Panel::new(&title).line(&title, &points).points("p", &points);
        if logs.0 { panel = panel.log_x(); }
        if logs.1 { panel = panel.log_y(); }
        let heights: Vec<f64> = points.iter().map(|p| p.1).collect();
        let names: Vec<String> = (0..heights.len()).map(|i| format!("{title}{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let bars = Panel::new("b").bars_with_spread("b", &names, &heights, &heights);
        for panel in [panel, bars, Panel::new("h").histogram("h", &heights, 5)] {
            let figure = Figure::new().panel(panel);
            if let Ok(svg) = figure.svg() {
                texts(&svg);
                prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
                prop_assert!(figure.png().is_ok());
            }
        }
    }
}
