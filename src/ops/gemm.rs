//! Matrix products on slices.

/// How a row-major slice is read as a factor.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
}

impl<'a> Factor<'a> {
    /// The matrix as stored: (rows, columns), row-major.
    pub(super) fn plain(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Self { values, rows, columns, row_stride: columns as isize, column_stride: 1 }
    }

    /// Some columns of a matrix as stored: (rows, columns), row-major.
    pub(super) fn columns(
        values: &'a [f32],
        rows: usize,
        columns: usize,
        part: std::ops::Range<usize>,
    ) -> Self {
        assert_eq!(values.len(), rows * columns);
        assert!(rows > 0 && part.start <= part.end && part.end <= columns);
        let values = &values[part.start..];
        Self { values, rows, columns: part.len(), row_stride: columns as isize, column_stride: 1 }
    }

    /// Its transpose, without moving anything.
    pub(super) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// Whether a product replaces what the output holds or adds to it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Into {
    Replace,
    Add,
}

/// `out (+)= a b`, on the calling thread: the callers are parallel over blocks of rows.
pub(super) fn product(a: Factor, b: Factor, out: &mut [f32], into: Into) {
    assert_eq!(a.columns, b.rows);
    assert_eq!(out.len(), a.rows * b.columns);
    // SAFETY: the three slices have the sizes asserted here, in `Factor::plain` and in `Factor::columns`, strides stay
    // within them, and `out` is borrowed mutably, so it overlaps neither factor.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            into == Into::Add,
            a.values.as_ptr(),
            a.column_stride,
            a.row_stride,
            b.values.as_ptr(),
            b.column_stride,
            b.row_stride,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
