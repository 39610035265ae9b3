//! Numbers for people: an aligned table, and what a series of measurements comes
//! to. In: samples, rows. Out: text.

/// Sorted samples of one quantity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        let at = self.0.partition_point(|other| *other < value);
        self.0.insert(at, value);
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for value in &other.0 {
            self.push(*value);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The median with so many digits after the point, or a dash where nothing was measured.
    pub(crate) fn median_cell(&self, digits: usize) -> String {
        if self.0.is_empty() { "–".to_owned() } else { format!("{:.digits$}", self.quantile(0.5)) }
    }

    /// Count, median, 90th percentile, least and greatest, as cells of a row.
    pub(crate) fn cells(&self) -> Vec<String> {
        let [median, p90] = [0.5, 0.9].map(|part| self.quantile(part));
        let [least, greatest] = [0.0, 1.0].map(|part| self.quantile(part));
        let mut cells = vec![self.0.len().to_string()];
        cells.extend([median, p90, least, greatest].map(|value| format!("{value:.3}")));
        cells
    }

    /// The value below which this part of the samples lies, between neighbours.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return f64::NAN };
        #[expect(clippy::cast_precision_loss, reason = "a bench never has 2^52 samples")]
        let place = part * last as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place lies between 0 and the last index"
        )]
        let below = place.floor() as usize;
        let above = (below + 1).min(last);
        self.0[below] + (self.0[above] - self.0[below]) * place.fract()
    }
}

/// Rows of cells, the first column flush left and the others flush right.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours_and_the_range_is_the_range() {
        let mut samples = Samples::default();
        for value in [4.0, 1.0, 3.0, 2.0] {
            samples.push(value);
        }
        assert_eq!(samples.cells(), ["4", "2.500", "3.700", "1.000", "4.000"]);
    }

    #[test]
    fn a_median_of_nothing_is_a_dash() {
        assert_eq!(Samples::default().median_cell(1), "–");
        assert_eq!(Samples(vec![1.0, 2.0]).median_cell(1), "1.5");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".into(), "12".into()], vec!["long".into(), "3".into()]];
        assert_eq!(aligned(&rows), "a     12\nlong   3");
    }
}
