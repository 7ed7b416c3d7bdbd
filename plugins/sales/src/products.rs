//! Products: what is sold.

use stoa_sdk::prelude::*;

/// Something that is sold.
#[entity(key = "product", plural = "products", title = "name")]
pub(crate) struct Product {
    #[field(max = 200, searchable = 10, indexed)]
    pub name: String,
    /// The number under which it is kept in stock.
    #[field(max = 100, searchable = 8, indexed)]
    pub sku: Option<String>,
    /// The family that it belongs to.
    #[field(max = 100, searchable = 3, indexed)]
    pub series: Option<String>,
    #[field(min = 0, max = 1_000_000_000_000_000)]
    pub list_price: Option<Money>,
    /// Whether it can be sold today.
    #[field(default = true)]
    pub active: bool,
    #[field(searchable = 1)]
    pub description: Option<RichText>,
}
