//! Which entries of a reordered sequence stay where they are.

/// Of pieces given as (position in the old order, weight) in the new order: those of a heaviest subsequence that
/// keeps the old order. Everything else has moved. Positions are distinct.
pub(super) fn kept(pieces: &[(usize, usize)]) -> Vec<bool> {
    let mut ranks: Vec<usize> = pieces.iter().map(|(position, _)| *position).collect();
    ranks.sort_unstable();
    let mut best = PrefixMax::new(pieces.len());
    let mut before = Vec::with_capacity(pieces.len());
    for (at, (position, weight)) in pieces.iter().enumerate() {
        let rank = ranks.partition_point(|other| other < position);
        let chain = best.up_to(rank);
        before.push(chain.map(|(_, piece)| piece));
        let total = chain.map_or(0, |(total, _)| total).saturating_add(*weight);
        best.raise(rank, (total, at));
    }
    let mut kept = vec![false; pieces.len()];
    let mut next = best.up_to(pieces.len()).map(|(_, piece)| piece);
    while let Some(at) = next {
        if let Some(slot) = kept.get_mut(at) {
            *slot = true;
        }
        next = before.get(at).copied().flatten();
    }
    kept
}

/// The heaviest chain that ends below a rank: a Fenwick tree of (weight, last piece).
struct PrefixMax(Vec<Option<(usize, usize)>>);

impl PrefixMax {
    fn new(len: usize) -> Self {
        Self(vec![None; len])
    }

    /// The heaviest of ranks below `end`.
    fn up_to(&self, end: usize) -> Option<(usize, usize)> {
        let mut heaviest = None;
        let mut at = end;
        while at > 0 {
            heaviest = heaviest.max(self.0.get(at - 1).copied().flatten());
            at &= at - 1;
        }
        heaviest
    }

    fn raise(&mut self, rank: usize, chain: (usize, usize)) {
        let mut at = rank + 1;
        while let Some(slot) = self.0.get_mut(at - 1) {
            *slot = (*slot).max(Some(chain));
            at += at & at.wrapping_neg();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn the_heaviest_chain_in_old_order_stays() {
        for (pieces, expected) in [
            (&[][..], &[][..]),
            (&[(0, 1), (1, 1), (2, 1)], &[true, true, true]),
            (&[(2, 1), (0, 1), (1, 1)], &[false, true, true]),
            (&[(1, 1), (2, 1), (0, 1)], &[true, true, false]),
            (&[(2, 5), (0, 1), (1, 1)], &[true, false, false]),
            (&[(3, 1), (10, 1), (5, 9), (7, 1)], &[true, false, true, true]),
        ] {
            assert_eq!(kept(pieces), expected, "{pieces:?}");
        }
    }
}
