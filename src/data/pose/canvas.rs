//! Grey shapes with smooth edges, drawn one over the other.

/// A square of grey pixels, row-major.
pub(super) struct Canvas {
    pub pixels: Vec<f64>,
    pub side: usize,
}

/// A shape by how far a point is outside it, in pixels; negative inside.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// All within `radius` of the line between two points.
    Capsule { from: [f64; 2], to: [f64; 2], radius: f64 },
    /// A rectangle of these half sizes about its centre, turned by this angle.
    Rectangle { centre: [f64; 2], half: [f64; 2], angle: f64 },
    /// An ellipse of these half axes.
    Ellipse { centre: [f64; 2], half: [f64; 2], angle: f64 },
}

impl Shape {
    fn outside(&self, at: [f64; 2]) -> f64 {
        match *self {
            Self::Capsule { from, to, radius } => to_segment(at, from, to) - radius,
            Self::Rectangle { centre, half, angle } => {
                let [x, y] = turned(at, centre, angle);
                (x.abs() - half[0]).max(y.abs() - half[1])
            }
            Self::Ellipse { centre, half, angle } => {
                let [x, y] = turned(at, centre, angle);
                // Exact on the edge and along a circle's radii; elsewhere near enough for an edge of one pixel.
                ((x / half[0]).hypot(y / half[1]) - 1.0) * half[0].min(half[1])
            }
        }
    }

    /// Centre and a radius around it that holds the shape.
    fn around(&self) -> ([f64; 2], f64) {
        match *self {
            Self::Capsule { from, to, radius } => {
                let centre = [0, 1].map(|i| (from[i] + to[i]) / 2.0);
                (centre, radius + distance(from, to) / 2.0)
            }
            Self::Rectangle { centre, half, .. } | Self::Ellipse { centre, half, .. } => {
                (centre, half[0].hypot(half[1]))
            }
        }
    }
}

pub(super) fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn to_segment(at: [f64; 2], from: [f64; 2], to: [f64; 2]) -> f64 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let squared = along[0] * along[0] + along[1] * along[1];
    let share =
        ((at[0] - from[0]) * along[0] + (at[1] - from[1]) * along[1]) / squared.max(f64::MIN_POSITIVE);
    let share = share.clamp(0.0, 1.0);
    distance(at, [from[0] + share * along[0], from[1] + share * along[1]])
}

/// A point as seen from a shape's own axes.
fn turned(at: [f64; 2], centre: [f64; 2], angle: f64) -> [f64; 2] {
    let ([x, y], (sin, cos)) = ([at[0] - centre[0], at[1] - centre[1]], angle.sin_cos());
    [cos * x + sin * y, cos * y - sin * x]
}

impl Canvas {
    /// A canvas that this function of \[x, y\] fills.
    pub fn new(side: usize, grey: impl Fn([f64; 2]) -> f64) -> Self {
        let pixels = (0..side * side).map(|i| grey([(i % side) as f64, (i / side) as f64])).collect();
        Self { pixels, side }
    }

    /// Draws a shape of one grey.
    pub fn fill(&mut self, shape: Shape, grey: f64) {
        self.paint(shape, |_| grey);
    }

    /// Draws a shape whose grey is a function of \[x, y\]; pixels that it covers in part are mixed.
    pub fn paint(&mut self, shape: Shape, grey: impl Fn([f64; 2]) -> f64) {
        let ([x, y], radius) = shape.around();
        let range = |at: f64| {
            let from = (at - radius - 1.0).floor().clamp(0.0, self.side as f64) as usize;
            from..(at + radius + 2.0).ceil().clamp(0.0, self.side as f64) as usize
        };
        let (rows, columns) = (range(y), range(x));
        for row in rows {
            for column in columns.clone() {
                let at = [column as f64, row as f64];
                let cover = (0.5 - shape.outside(at)).clamp(0.0, 1.0);
                let pixel = &mut self.pixels[row * self.side + column];
                *pixel += cover * (grey(at) - *pixel);
            }
        }
    }
}
