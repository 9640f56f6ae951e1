use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::budget::Budget;
use crate::notation::{
    As, FromZero, Notation, Number, Table, UpToThousand, Whole, Word, Words, serde_by_notation,
};

/// The settings of a [`Budget`] as plain data. See the [module](super).
///
/// Each kind except `None` can be kept separately for each upstream. `per_authority` is then the maximum
/// number of upstreams that are kept, as for [`Budget::per_authority`].
///
/// # Example
///
/// ```
/// use tower_http_retry::config::BudgetConfig;
///
/// let json = r#"{ "kind": "throttle", "max_tokens": 10, "token_ratio": 0.1 }"#;
/// let config: BudgetConfig = serde_json::from_str(json)?;
/// let expected = BudgetConfig::Throttle { max_tokens: 10, token_ratio: 0.1, per_authority: None };
/// assert_eq!(config, expected);
/// assert_eq!(config.budget(5).and_then(|budget| budget.tokens()), Some(10.0));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BudgetConfig {
    /// [`Budget::earning`], for the layer's number of retries. This is the default, with one budget for all
    /// upstreams.
    Earning {
        /// How many upstreams are kept; `None` is one budget for all.
        per_authority: Option<usize>,
    },
    /// [`Budget::ratio`].
    Ratio {
        /// The number of tokens that each request adds, from 0 to 1,000.
        ratio: f64,
        /// How many upstreams are kept; `None` is one budget for all.
        per_authority: Option<usize>,
    },
    /// [`Budget::throttle`].
    Throttle {
        /// The number of tokens that the budget holds, from 1 to 1,000.
        max_tokens: u32,
        /// The number of tokens that each success adds, at least 0.
        token_ratio: f64,
        /// How many upstreams are kept; `None` is one budget for all.
        per_authority: Option<usize>,
    },
    /// [`RetryLayer::without_budget`](crate::RetryLayer::without_budget).
    None,
}

impl BudgetConfig {
    /// Returns a new budget, or `None` for [`BudgetConfig::None`]. Only [`BudgetConfig::Earning`] depends on
    /// `max_retries`.
    ///
    /// `RetryLayer::from(config)` creates a budget for its layer. Use this method to share a budget between
    /// several layers, or to take a [snapshot](Budget::snapshot) of it:
    ///
    /// ```
    /// use tower_http_retry::RetryLayer;
    /// use tower_http_retry::config::RetryConfig;
    ///
    /// let config: RetryConfig = serde_json::from_str(r#"{ "max_retries": 2 }"#)?;
    /// let budget = config.budget.budget(config.max_retries);
    /// let mut layer = RetryLayer::from(config);
    /// if let Some(budget) = &budget {
    ///     layer = layer.budget(budget.clone());
    /// }
    /// # let _ = layer;
    /// assert_eq!(budget.and_then(|budget| budget.tokens()), Some(6.0));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn budget(&self, max_retries: u32) -> Option<Budget> {
        let (each, make): (_, Box<dyn Fn() -> Budget + Send + Sync>) = match *self {
            Self::None => return None,
            Self::Earning { per_authority } => (
                per_authority,
                Box::new(move || Budget::earning(max_retries)),
            ),
            Self::Ratio {
                ratio,
                per_authority,
            } => (per_authority, Box::new(move || Budget::ratio(ratio))),
            Self::Throttle {
                max_tokens,
                token_ratio,
                per_authority,
            } => (
                per_authority,
                Box::new(move || Budget::throttle(max_tokens, token_ratio)),
            ),
        };
        Some(match each {
            Some(max) => Budget::per_authority_with(max, make),
            None => make(),
        })
    }
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self::Earning {
            per_authority: None,
        }
    }
}

serde_by_notation!(BudgetConfig);

#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Kind {
    #[default]
    Earning,
    Ratio,
    Throttle,
    None,
}

impl Words for Kind {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("earning", Self::Earning),
        ("ratio", Self::Ratio),
        ("throttle", Self::Throttle),
        ("none", Self::None),
    ];
}

impl Kind {
    /// The fields that may be given with this kind.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Earning => &["per_authority"],
            Self::Ratio => &["ratio", "per_authority"],
            Self::Throttle => &["max_tokens", "token_ratio", "per_authority"],
            Self::None => &[],
        }
    }
}

/// The fields of all kinds.
#[derive(Default, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a map of a budget's settings"
)]
struct Fields {
    #[serde(with = "As::<Word<Kind>>")]
    kind: Kind,
    #[serde(
        with = "As::<Option<Number<UpToThousand>>>",
        skip_serializing_if = "Option::is_none"
    )]
    ratio: Option<f64>,
    #[serde(
        with = "As::<Option<Whole<u32, 1, 1_000>>>",
        skip_serializing_if = "Option::is_none"
    )]
    max_tokens: Option<u32>,
    #[serde(
        with = "As::<Option<Number<FromZero>>>",
        skip_serializing_if = "Option::is_none"
    )]
    token_ratio: Option<f64>,
    #[serde(
        with = "As::<Option<Whole<usize, 1>>>",
        skip_serializing_if = "Option::is_none"
    )]
    per_authority: Option<usize>,
}

impl Fields {
    fn misplaced(&self) -> Option<&'static str> {
        let given = [
            ("ratio", self.ratio.is_some()),
            ("max_tokens", self.max_tokens.is_some()),
            ("token_ratio", self.token_ratio.is_some()),
            ("per_authority", self.per_authority.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is_given)| *is_given);
        given.find_map(|(name, _)| (!self.kind.fields().contains(name)).then_some(*name))
    }
}

impl Notation for BudgetConfig {
    type Value = Self;

    fn write<S: Serializer>(budget: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        let none = Fields::default();
        let fields = match *budget {
            Self::Earning { per_authority } => Fields {
                kind: Kind::Earning,
                per_authority,
                ..none
            },
            Self::Ratio {
                ratio,
                per_authority,
            } => Fields {
                kind: Kind::Ratio,
                ratio: Some(ratio),
                per_authority,
                ..none
            },
            Self::Throttle {
                max_tokens,
                token_ratio,
                per_authority,
            } => Fields {
                kind: Kind::Throttle,
                max_tokens: Some(max_tokens),
                token_ratio: Some(token_ratio),
                per_authority,
                ..none
            },
            Self::None => Fields {
                kind: Kind::None,
                ..none
            },
        };
        fields.serialize(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields::deserialize(Table(deserializer))?;
        let kind = fields.kind;
        if let Some(name) = fields.misplaced() {
            let kind = kind.word().unwrap_or_default();
            return Err(D::Error::custom(format_args!(
                "field `{name}` does not belong to kind \"{kind}\""
            )));
        }
        let per_authority = fields.per_authority;
        let missing = |name| move || D::Error::missing_field(name);
        Ok(match kind {
            Kind::Earning => Self::Earning { per_authority },
            Kind::Ratio => Self::Ratio {
                ratio: fields.ratio.ok_or_else(missing("ratio"))?,
                per_authority,
            },
            Kind::Throttle => Self::Throttle {
                max_tokens: fields.max_tokens.ok_or_else(missing("max_tokens"))?,
                token_ratio: fields.token_ratio.ok_or_else(missing("token_ratio"))?,
                per_authority,
            },
            Kind::None => Self::None,
        })
    }
}
