//! Marks for rates: tiers as data, and points that are proportional.
//!
//! Everything is an exact fraction and every comparison is one of integers: a rate of 94.999 % is not 95 %. Where a rate
//! is not applicable there are no marks, which is not the same as none. What is counted is the caller's.

use std::cmp::Ordering;

/// The least that six decimals can say.
const MILLION: u128 = 1_000_000;
/// What nine digits cannot say any more.
const MOST_MILLIONTHS: u64 = 1_000_000_000_000_000;

/// An exact fraction that is not negative. Its denominator is not 0.
#[derive(Clone, Copy, Debug)]
pub struct Fraction {
    part: u128,
    whole: u128,
}

impl Fraction {
    /// Nothing.
    pub const ZERO: Fraction = Fraction { part: 0, whole: 1 };
    /// One.
    pub const ONE: Fraction = Fraction { part: 1, whole: 1 };

    /// `part / whole`; `None` if that is nothing over nothing, or has no value.
    ///
    /// ```
    /// use dunghen_engine::rules::Fraction;
    /// assert_eq!(Fraction::new(2, 4), Fraction::new(1, 2));
    /// assert_eq!(Fraction::new(0, 0), None);
    /// ```
    #[must_use]
    pub fn new(part: u64, whole: u64) -> Option<Fraction> {
        (whole > 0).then_some(Fraction { part: part.into(), whole: whole.into() })
    }

    /// Reads a decimal number: digits, and up to six more after a point or a comma.
    ///
    /// ```
    /// use dunghen_engine::rules::Fraction;
    /// assert_eq!(Fraction::decimal("0.25"), Fraction::new(1, 4));
    /// assert_eq!(Fraction::decimal("1,5"), Fraction::new(3, 2));
    /// assert_eq!(Fraction::decimal("-1"), None);
    /// ```
    #[must_use]
    pub fn decimal(text: &str) -> Option<Fraction> {
        let (digits, decimals) = text.split_once(['.', ',']).unwrap_or((text, ""));
        let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let dangling = text.len() != digits.len() && decimals.is_empty();
        if digits.is_empty() || dangling || digits.len() > 9 || decimals.len() > 6 {
            return None;
        }
        if !all_digits(digits) || !all_digits(decimals) {
            return None;
        }
        let part = format!("{digits}{decimals}").parse().ok()?;
        Some(Fraction { part, whole: 10_u128.pow(u32::try_from(decimals.len()).ok()?) })
    }

    /// Numerator and denominator, reduced.
    #[must_use]
    pub fn reduced(self) -> (u128, u128) {
        let (mut a, mut b) = (self.whole, self.part);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        (self.part / a, self.whole / a)
    }

    /// A hundredth of it: what a percentage stands for.
    #[must_use]
    pub fn hundredth(self) -> Fraction {
        self.times(Fraction { part: 1, whole: 100 })
    }

    /// A hundred times it: the percentage that stands for it.
    #[must_use]
    pub fn percent(self) -> Fraction {
        self.times(Fraction { part: 100, whole: 1 })
    }

    /// So many millionths.
    #[must_use]
    pub fn of_millionths(n: u64) -> Fraction {
        Fraction { part: n.into(), whole: MILLION }
    }

    /// How many millionths it is, if it is a number that [`Fraction::decimal`] reads.
    ///
    /// ```
    /// use dunghen_engine::rules::Fraction;
    /// assert_eq!(Fraction::new(1, 4).and_then(Fraction::millionths), Some(250_000));
    /// assert_eq!(Fraction::new(1, 3).and_then(Fraction::millionths), None);
    /// ```
    #[must_use]
    pub fn millionths(self) -> Option<u64> {
        let (part, whole) = self.reduced();
        let millionths = MILLION.is_multiple_of(whole).then(|| part.checked_mul(MILLION / whole))??;
        u64::try_from(millionths).ok().filter(|n| *n < MOST_MILLIONTHS)
    }

    /// The product.
    #[must_use]
    pub fn times(self, other: Fraction) -> Fraction {
        // Reduced first: counts are below 2^64 and decimals have 15 digits, so what is left fits by far.
        let (a, b) = (self.reduced(), other.reduced());
        Fraction { part: a.0 * b.0, whole: a.1 * b.1 }
    }

    /// In hundredths, rounded half up: for display alone.
    #[must_use]
    pub fn hundredths(self) -> u128 {
        let (part, whole) = self.reduced();
        (part * 200 + whole) / (2 * whole)
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Fraction) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Fraction) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Fraction) -> Ordering {
        // As Euclid: by what is whole in them, then by the rests upside down. No product, so nothing overflows.
        let (mut a, mut b) = (*self, *other);
        loop {
            let wholes = (a.part / a.whole).cmp(&(b.part / b.whole));
            let (rest_a, rest_b) = (a.part % a.whole, b.part % b.whole);
            if wholes != Ordering::Equal || rest_a == 0 || rest_b == 0 {
                return wholes.then(rest_a.cmp(&rest_b));
            }
            (a, b) = (Fraction { part: b.whole, whole: rest_b }, Fraction { part: a.whole, whole: rest_a });
        }
    }
}

/// From which rate on a tier gives its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// From this rate on ("từ … trở lên").
    AtLeast(Fraction),
    /// Above this rate ("trên …").
    Above(Fraction),
}

impl Bound {
    fn reached_by(self, rate: Fraction) -> bool {
        match self {
            Bound::AtLeast(bound) => rate >= bound,
            Bound::Above(bound) => rate > bound,
        }
    }

    /// Whether every rate that reaches this one reaches `other`, too, and some more do.
    fn is_higher_than(self, other: Bound) -> bool {
        match (self, other) {
            (Bound::Above(a), Bound::AtLeast(b)) => a >= b,
            (Bound::AtLeast(a) | Bound::Above(a), Bound::AtLeast(b) | Bound::Above(b)) => a > b,
        }
    }
}

/// The marks of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// The full marks.
    Full,
    /// The rate times the full marks.
    Proportional,
    /// So many.
    Fixed(Fraction),
}

/// One tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// From which rate on.
    pub from: Bound,
    /// What it gives.
    pub marks: Marks,
}

/// What is wrong with tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTiers {
    /// There is none.
    #[error("there is no tier")]
    None,
    /// The tier of this number, from 1, does not begin below the one before, so it could never be reached.
    #[error("tier {0} must begin below the tier before it")]
    NotDescending(usize),
    /// The tier of this number begins above 100 %.
    #[error("tier {0} begins above 100 %")]
    AboveAll(usize),
    /// The tier of this number gives more than the full marks.
    #[error("tier {0} gives more than the full marks")]
    MoreThanFull(usize),
    /// The bound (in per cent) or the marks of the tier of this number, or the full marks (0), are no decimal number, so
    /// they could be neither written nor stored as they are.
    #[error("a number of tier {0} has more than nine digits or six decimals")]
    NotDecimal(usize),
}

/// Tiers from the highest down, and the full marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers {
    full: Fraction,
    tiers: Vec<Tier>,
}

/// Full marks if nothing is missing, otherwise none: the criterion of apologies, unless it is published otherwise.
pub const ALL_OR_NOTHING: [Tier; 2] = [
    Tier { from: Bound::AtLeast(Fraction::ONE), marks: Marks::Full },
    Tier { from: Bound::AtLeast(Fraction::ZERO), marks: Marks::Fixed(Fraction::ZERO) },
];

/// The full marks of the progress criterion of Decision 766: its score is this many times the rate `decision-766`.
pub const DECISION_766_FULL: u64 = 20;

impl Tiers {
    /// These tiers. A rate below the last one gets nothing.
    ///
    /// # Errors
    /// [`BadTiers`].
    pub fn new(full: Fraction, tiers: &[Tier]) -> Result<Tiers, BadTiers> {
        if tiers.is_empty() {
            return Err(BadTiers::None);
        }
        if full.millionths().is_none() {
            return Err(BadTiers::NotDecimal(0));
        }
        for (number, tier) in (1..).zip(tiers) {
            let (Bound::AtLeast(bound) | Bound::Above(bound)) = tier.from;
            let fixed = if let Marks::Fixed(marks) = tier.marks { marks } else { full };
            if bound.percent().millionths().is_none() || fixed.millionths().is_none() {
                return Err(BadTiers::NotDecimal(number));
            }
            if bound > Fraction::ONE {
                return Err(BadTiers::AboveAll(number));
            }
            if matches!(tier.marks, Marks::Fixed(marks) if marks > full) {
                return Err(BadTiers::MoreThanFull(number));
            }
        }
        for (number, pair) in (2..).zip(tiers.windows(2)) {
            if !pair[0].from.is_higher_than(pair[1].from) {
                return Err(BadTiers::NotDescending(number));
            }
        }
        Ok(Tiers { full, tiers: tiers.to_vec() })
    }

    /// The full marks.
    #[must_use]
    pub fn full(&self) -> Fraction {
        self.full
    }

    /// The marks for `part / whole`, with the number of the tier that gives them, from 1 (0: below the last one).
    /// `None` if there is no rate: then the criterion is not applicable.
    ///
    /// ```
    /// use dunghen_engine::rules::{ALL_OR_NOTHING, Fraction, Tiers};
    /// let tiers = Tiers::new(Fraction::ONE, &ALL_OR_NOTHING).expect("tiers");
    /// assert_eq!(tiers.marks(96, 100), Some((Fraction::ZERO, 2)));
    /// assert_eq!(tiers.marks(0, 0), None);
    /// ```
    #[must_use]
    pub fn marks(&self, part: u64, whole: u64) -> Option<(Fraction, usize)> {
        let rate = Fraction::new(part, whole)?;
        let reached = (1..).zip(&self.tiers).find(|(_, tier)| tier.from.reached_by(rate));
        Some(reached.map_or((Fraction::ZERO, 0), |(number, tier)| {
            let marks = match tier.marks {
                Marks::Full => self.full,
                Marks::Proportional => self.full.times(rate),
                Marks::Fixed(marks) => marks,
            };
            (marks, number)
        }))
    }
}

/// The progress score of Decision 766: 20 times the rate. `None` if there is no rate.
///
/// ```
/// use dunghen_engine::rules::{Fraction, score_766};
/// assert_eq!(score_766(10, 18), Fraction::new(100, 9));
/// ```
#[must_use]
pub fn score_766(on_time: u64, judged: u64) -> Option<Fraction> {
    let full = Fraction { part: DECISION_766_FULL.into(), whole: 1 };
    Some(full.times(Fraction::new(on_time, judged)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Fraction {
        Fraction::decimal(text).expect(text)
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal("0.1").reduced(), (1, 10));
        assert_eq!(decimal("999999999.999999").reduced(), (999_999_999_999_999, 1_000_000));
        for bad in ["", ".", "1.", ".5", "1.2345678", "+1", "-1", "1e3", "1 000", "1.2.3", "１", "1234567890"] {
            assert_eq!(Fraction::decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn fractions_compare_as_their_products_do() {
        for (a, b, c, d) in (0..7_u64.pow(4)).map(|n| (n % 7, n / 7 % 7, n / 49 % 7, n / 343)) {
            let (Some(left), Some(right)) = (Fraction::new(a, b), Fraction::new(c, d)) else { continue };
            assert_eq!(left.cmp(&right), (a * d).cmp(&(c * b)), "{a}/{b} and {c}/{d}");
        }
        let near = |n| Fraction::new(u64::MAX - n, u64::MAX);
        assert!(near(1) < near(0) && near(2) < near(1));
    }

    #[test]
    fn hundredths_round_half_up() {
        let hundredths = |part, whole| Fraction::new(part, whole).map(Fraction::hundredths);
        assert_eq!(hundredths(200, 18), Some(1111));
        assert_eq!(hundredths(1, 8), Some(13), "0.125 goes up");
        assert_eq!(hundredths(1249, 10_000), Some(12));
        assert_eq!(hundredths(u64::MAX, 1), Some(u128::from(u64::MAX) * 100));
    }

    #[test]
    fn millionths_are_what_decimals_say() {
        for (text, millionths) in
            [("0", 0), ("0.000001", 1), ("1,5", 1_500_000), ("999999999.999999", 10_u64.pow(15) - 1)]
        {
            assert_eq!(decimal(text).millionths(), Some(millionths), "{text}");
            assert_eq!(Fraction::of_millionths(millionths), decimal(text));
        }
        let none = [Fraction::new(1, 3), Fraction::new(1, 10_000_000), Fraction::new(u64::MAX, 1)];
        assert!(none.into_iter().all(|fraction| fraction.is_some_and(|f| f.millionths().is_none())));
        assert_eq!(Fraction::of_millionths(10_u64.pow(15)).millionths(), None, "ten digits");
        assert_eq!(decimal("0.999999").percent(), decimal("99.9999"));
        assert_eq!(decimal("99.9999").hundredth(), decimal("0.999999"));
    }

    /// The bounds of proportional tiers, from both sides and as near as counts can come.
    #[test]
    fn tiers_at_their_bounds() {
        let tier = |from: &str, marks| Tier { from: Bound::AtLeast(decimal(from)), marks };
        let tiers =
            [tier("1", Marks::Full), tier("0.95", Marks::Proportional), tier("0", Marks::Fixed(Fraction::ZERO))];
        let tiers = Tiers::new(decimal("1.5"), &tiers).expect("tiers");
        let marks = |part, whole| tiers.marks(part, whole).map(|(marks, tier)| (marks.reduced(), tier));
        let million = 1_000_000;
        assert_eq!(marks(million, million), Some(((3, 2), 1)));
        assert_eq!(marks(999_999, million), Some(((2_999_997, 2_000_000), 2)));
        assert_eq!(marks(95, 100), Some(((57, 40), 2)));
        assert_eq!(marks(949_999, million), Some(((0, 1), 3)));
        assert_eq!(marks(0, 7), Some(((0, 1), 3)));
        assert_eq!(marks(0, 0), None, "nothing decided is not all on time");
        // Far above 2^53, where a float takes both for the same.
        let huge = 10_u64.pow(18);
        assert_eq!(marks(huge / 100 * 95, huge).map(|(_, tier)| tier), Some(2));
        assert_eq!(marks(huge / 100 * 95 - 1, huge).map(|(_, tier)| tier), Some(3));
    }

    #[test]
    fn all_or_nothing() {
        let tiers = Tiers::new(Fraction::ONE, &ALL_OR_NOTHING).expect("tiers");
        assert_eq!(tiers.marks(9, 9), Some((Fraction::ONE, 1)));
        assert_eq!(tiers.marks(8, 9), Some((Fraction::ZERO, 2)));
        assert_eq!(tiers.marks(0, 0), None);
    }

    #[test]
    fn above_is_not_at_least() {
        let tier = |from, marks| Tier { from, marks };
        let (above, at_least) = (Bound::Above(decimal("0.99")), Bound::AtLeast(decimal("0.99")));
        let half = Marks::Fixed(decimal("0.5"));
        let tiers = Tiers::new(Fraction::ONE, &[tier(above, Marks::Full), tier(at_least, half)]).expect("tiers");
        assert_eq!(tiers.marks(9901, 10_000), Some((Fraction::ONE, 1)));
        assert_eq!(tiers.marks(99, 100), Some((decimal("0.5"), 2)));
        assert_eq!(tiers.marks(98, 100), Some((Fraction::ZERO, 0)), "below the last tier");
        let turned = Tiers::new(Fraction::ONE, &[tier(at_least, half), tier(above, Marks::Full)]);
        assert_eq!(turned, Err(BadTiers::NotDescending(2)));
    }

    #[test]
    fn impossible_tiers_are_refused() {
        let tier = |percent: u64, marks| {
            let from = Bound::AtLeast(Fraction::of_millionths(percent * 1_000_000).hundredth());
            Tier { from, marks }
        };
        let new = |tiers: &[Tier]| Tiers::new(Fraction::ONE, tiers);
        assert_eq!(new(&[]), Err(BadTiers::None));
        assert_eq!(new(&[tier(101, Marks::Full)]), Err(BadTiers::AboveAll(1)));
        assert_eq!(new(&[tier(90, Marks::Full), tier(90, Marks::Proportional)]), Err(BadTiers::NotDescending(2)));
        assert_eq!(new(&[tier(90, Marks::Fixed(decimal("1.1")))]), Err(BadTiers::MoreThanFull(1)));
        // A third can be computed with, but nobody can write it down.
        let third = Fraction::new(1, 3).expect("a third");
        assert_eq!(new(&[tier(90, Marks::Full), tier(80, Marks::Fixed(third))]), Err(BadTiers::NotDecimal(2)));
        assert_eq!(new(&[Tier { from: Bound::Above(third), marks: Marks::Full }]), Err(BadTiers::NotDecimal(1)));
        assert_eq!(Tiers::new(third, &ALL_OR_NOTHING), Err(BadTiers::NotDecimal(0)));
    }
}
