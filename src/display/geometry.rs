//! Cutting paths and areas to the plot, and thinning long curves.

use super::canvas::{Point, Rect};

/// Whether a point lies in `plot`, its border included.
pub(super) fn inside((x, y): Point, plot: &Rect) -> bool {
    (plot.left - 0.01..=plot.right + 0.01).contains(&x) && (plot.top - 0.01..=plot.bottom + 0.01).contains(&y)
}

/// Keeps at most four points per pixel column of a long curve: first, lowest, highest, last.
///
/// The picture stays the same, and the SVG small, for curves of very many steps.
pub(super) fn thin_out(path: Vec<Point>, plot: &Rect) -> Vec<Point> {
    let rising = path.windows(2).all(|ends| ends[0].0 <= ends[1].0);
    if !rising || (path.len() as f64) < 4.0 * plot.width() {
        return path;
    }
    let mut kept: Vec<Point> = Vec::new();
    for column in path.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        let lowest = (0..column.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..column.len()).max_by(by_height).unwrap_or(0);
        let mut picked = [0, lowest.min(highest), lowest.max(highest), column.len() - 1].to_vec();
        picked.dedup();
        kept.extend(picked.into_iter().map(|index| column[index]));
    }
    kept
}

/// The parts of a path inside `plot`.
pub(super) fn clip_line(path: &[Point], plot: &Rect) -> Vec<Vec<Point>> {
    if let [only] = path {
        return if inside(*only, plot) { vec![vec![*only]] } else { Vec::new() };
    }
    let mut parts: Vec<Vec<Point>> = Vec::new();
    let mut open = false;
    for ends in path.windows(2) {
        let (a, b) = (ends[0], ends[1]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        // Liang and Barsky: the segment enters at share `from` and leaves at share `to`.
        let (mut from, mut to) = (0.0f64, 1.0f64);
        let sides =
            [(-dx, a.0 - plot.left), (dx, plot.right - a.0), (-dy, a.1 - plot.top), (dy, plot.bottom - a.1)];
        let mut visible = true;
        for (speed, distance) in sides {
            if speed == 0.0 {
                visible &= distance >= 0.0;
            } else if speed < 0.0 {
                from = from.max(distance / speed);
            } else {
                to = to.min(distance / speed);
            }
        }
        if !visible || from > to {
            open = false;
            continue;
        }
        let at = |share: f64| (a.0 + share * dx, a.1 + share * dy);
        match parts.last_mut() {
            Some(part) if open && from == 0.0 => part.push(at(to)),
            _ => parts.push(vec![at(from), at(to)]),
        }
        open = to == 1.0;
    }
    parts
}

/// The part of a polygon inside `plot` (Sutherland and Hodgman: one side after the other).
pub(super) fn clip_area(mut area: Vec<Point>, plot: &Rect) -> Vec<Point> {
    type Depth = fn(Point, &Rect) -> f64;
    let sides: [Depth; 4] =
        [|p, r| p.0 - r.left, |p, r| r.right - p.0, |p, r| p.1 - r.top, |p, r| r.bottom - p.1];
    for depth in sides {
        let mut kept = Vec::with_capacity(area.len());
        for (index, &b) in area.iter().enumerate() {
            let a = area[(index + area.len() - 1) % area.len()];
            let (da, db) = (depth(a, plot), depth(b, plot));
            if (da >= 0.0) != (db >= 0.0) {
                let share = da / (da - db);
                kept.push((a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1)));
            }
            if db >= 0.0 {
                kept.push(b);
            }
        }
        area = kept;
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Rect = Rect { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };

    #[test]
    fn lines_are_cut_where_they_cross_the_border() {
        // Leaves on the right at half its length, comes back in on the way down.
        let path = [(5.0, 5.0), (15.0, 5.0), (5.0, 15.0), (5.0, 8.0)];
        assert_eq!(
            clip_line(&path, &PLOT),
            vec![
                vec![(5.0, 5.0), (10.0, 5.0)],
                vec![(10.0, 10.0), (10.0, 10.0)],
                vec![(5.0, 10.0), (5.0, 8.0)]
            ]
        );
        assert!(clip_line(&[(-1.0, -1.0), (-1.0, 11.0)], &PLOT).is_empty());
        assert_eq!(clip_line(&[(1.0, 1.0), (2.0, 2.0), (3.0, 1.0)], &PLOT).len(), 1);
        assert_eq!(clip_line(&[(1.0, 1.0)], &PLOT), vec![vec![(1.0, 1.0)]]);
    }

    #[test]
    fn areas_keep_only_their_inside() {
        let square = vec![(5.0, 5.0), (20.0, 5.0), (20.0, 20.0), (5.0, 20.0)];
        let cut = clip_area(square, &PLOT);
        let doubled: f64 = (0..cut.len())
            .map(|i| (cut[i], cut[(i + 1) % cut.len()]))
            .map(|(a, b)| a.0 * b.1 - b.0 * a.1)
            .sum();
        assert_eq!(doubled / 2.0, 25.0);
        assert!(clip_area(vec![(11.0, 0.0), (12.0, 0.0), (12.0, 1.0)], &PLOT).is_empty());
    }

    #[test]
    fn thinning_keeps_the_extremes() {
        let long: Vec<Point> = (0..1000).map(|i| (f64::from(i) / 100.0, f64::from(i % 7))).collect();
        let short = thin_out(long.clone(), &PLOT);
        assert!(short.len() <= 40);
        assert_eq!((short.first(), short.last()), (long.first(), long.last()));
        for column in 0..10 {
            let heights = short.iter().filter(|p| p.0.floor() == f64::from(column)).map(|p| p.1);
            assert_eq!(heights.fold((9.0, 0.0), |(a, b): (f64, f64), y| (a.min(y), b.max(y))), (0.0, 6.0));
        }
        assert_eq!(thin_out(long[..20].to_vec(), &PLOT), long[..20]);
    }
}
