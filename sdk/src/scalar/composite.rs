//! Several options, several references, addresses, auto-numbers and lengths of time as field types. What has more than
//! one part is one cell of JSON text; nothing at all is no value.

use serde_json::{Map, Value, json};

use crate::cells::{Cell, Cells, Malformed, Reader};
use crate::composite::{Address, Options};
use crate::duration::Duration;
use crate::entity::Entity;
use crate::error::Failure;
use crate::field::{Stored, Wire, parse};
use crate::id::{RecordId, Reference, TeamId, UserId};
use crate::manifest;
use crate::text::{AutoNumber, Choice};

use super::{from_text, read_integer, read_text, write_text};

/// JSON in a cell, read as `T`; what no value means is said by the caller.
fn read_json<T: Wire>(reader: &mut Reader<'_>, none: T) -> Result<T, Malformed> {
    match reader.cell()? {
        Cell::Null => Ok(none),
        Cell::Text(text) => {
            let json: Value = serde_json::from_str(text).map_err(|_| Malformed)?;
            parse(&json).map_err(|_| Malformed)
        }
        _ => Err(Malformed),
    }
}

fn write_list(list: &[impl Wire], out: &mut Cells) {
    if list.is_empty() {
        return out.push(Cell::Null);
    }
    let items: Value = list.iter().map(Wire::to_json).collect();
    write_text(&items, out);
}

impl<T: Choice> Wire for Options<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema(), "uniqueItems": true })
    }

    fn to_json(&self) -> Value {
        self.iter().map(|option| option.to_json()).collect()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        Vec::<T>::from_json(json, at, failures).map(|options| options.into_iter().collect())
    }
}

impl<T: Choice> Stored for Options<T> {
    const REQUIRED: bool = false;

    fn declare(field: &mut manifest::Field) {
        field.kind = "options".into();
        field.choose_from(T::OPTIONS);
    }

    fn write(&self, out: &mut Cells) {
        write_list(&self.iter().collect::<Vec<_>>(), out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_json(reader, Self::none())
    }
}

/// Several references: the same for ids of every sort, but for what they point at.
macro_rules! references {
    ($([$($generics:tt)*] $item:ty, $target:expr, $on_delete:expr;)+) => {$(
        impl<$($generics)*> Stored for Vec<$item> {
            const REQUIRED: bool = false;

            fn declare(field: &mut manifest::Field) {
                field.kind = "references".into();
                field.references = $target;
                field.on_delete = $on_delete;
            }

            fn write(&self, out: &mut Cells) {
                write_list(self, out);
            }

            fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
                read_json(reader, Vec::new())
            }
        }
    )+};
}

references! {
    [T: Entity] Reference<T>, Some(format!(".{}", T::KEY)), Some("restrict".into());
    [] RecordId, None, None;
    [] UserId, Some("host.user".into()), None;
    [] TeamId, Some("host.team".into()), None;
}

impl Stored for Address {
    fn declare(field: &mut manifest::Field) {
        field.kind = "address".into();
    }

    fn write(&self, out: &mut Cells) {
        if self.is_empty() {
            return out.push(Cell::Null);
        }
        let mut parts = match self.to_json() {
            Value::Object(parts) => parts,
            _ => Map::new(),
        };
        parts.retain(|_, part| part.as_str().is_some_and(|text| !text.is_empty()));
        write_text(&Value::Object(parts), out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_json(reader, Self::default())
    }
}

impl Wire for AutoNumber {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn to_json(&self) -> Value {
        self.get().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        from_text(json, at, failures, "wrong_type", "text")
    }
}

impl Stored for AutoNumber {
    const REQUIRED: bool = false;

    fn declare(field: &mut manifest::Field) {
        field.kind = "auto_number".into();
        field.read_only = true;
        field.unique = true;
    }

    fn write(&self, out: &mut Cells) {
        out.push(self.get().map_or(Cell::Null, Cell::Text));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let packed = reader.packed(1)?;
        match Reader::new(packed).cell()? {
            Cell::Null => Ok(Self::default()),
            _ => read_text(&mut Reader::new(packed)),
        }
    }
}

impl Wire for Duration {
    fn schema() -> Value {
        json!({ "type": "integer", "description": "Milliseconds" })
    }

    fn to_json(&self) -> Value {
        self.millis().into()
    }

    fn from_json(json: &Value, at: &str, failures: &mut Vec<Failure>) -> Option<Self> {
        i64::from_json(json, at, failures).map(Self::from_millis)
    }
}

impl Stored for Duration {
    fn declare(field: &mut manifest::Field) {
        field.kind = "duration".into();
    }

    fn write(&self, out: &mut Cells) {
        out.push(Cell::Integer(self.millis()));
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        read_integer(reader).map(Self::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::testing::Host;

    use super::*;

    #[entity]
    enum Colour {
        Red,
        Green,
        Blue,
    }

    #[entity(key = "paint", plural = "paints")]
    #[derive(Clone, Debug, PartialEq)]
    struct Paint {
        #[field(format = "P-{YYYY}-{000}")]
        number: AutoNumber,
        colours: Options<Colour>,
        #[field(references = "crm.account", inverse = "paints", on_delete = "detach")]
        sold_by: Vec<RecordId>,
        mixed_of: Vec<Reference<Paint>>,
        painters: Vec<UserId>,
        #[field(searchable = 1)]
        made_at: Option<Address>,
        dries_in: Option<Duration>,
        sheet: Option<FileId>,
        crew: Option<TeamId>,
    }

    crate::plugin! { id: "paints", name: "Paints", entities: [Paint] }

    fn plain() -> Paint {
        Paint {
            number: AutoNumber::default(),
            colours: Options::none(),
            sold_by: vec![],
            mixed_of: vec![],
            painters: vec![],
            made_at: None,
            dries_in: None,
            sheet: None,
            crew: None,
        }
    }

    #[test]
    fn the_declaration_states_kinds_targets_and_what_else_was_said() {
        let fields = describe().entities.remove(0).fields;
        let kinds: Vec<&str> = fields.iter().map(|field| field.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "auto_number",
                "options",
                "references",
                "references",
                "references",
                "address",
                "duration",
                "file",
                "reference"
            ]
        );
        assert!(fields.iter().all(|field| !field.required), "nothing is one of their values");
        assert_eq!(fields[0].format.as_deref(), Some("P-{YYYY}-{000}"));
        assert!(fields[0].read_only && fields[0].unique);
        assert_eq!(fields[1].options.len(), 3);
        assert_eq!(
            (fields[2].references.as_deref(), fields[2].inverse.as_deref(), fields[2].on_delete.as_deref()),
            (Some("crm.account"), Some("paints"), Some("detach"))
        );
        assert_eq!(fields[3].references.as_deref(), Some("paints.paint"));
        assert_eq!(fields[4].references.as_deref(), Some("host.user"));
        assert_eq!(fields[8].references.as_deref(), Some("host.team"));
    }

    #[test]
    fn what_has_parts_is_one_cell_of_json_and_nothing_is_no_value() {
        let host = Host::new::<Plugin>();
        let paints = host.context().records::<Paint>();
        let first = paints.create(&plain()).unwrap();
        let account = RecordId::from_halves(3, 4);
        let full = Paint {
            colours: [Colour::Blue, Colour::Red, Colour::Blue].into_iter().collect(),
            sold_by: vec![account],
            mixed_of: vec![first],
            painters: vec![UserId(account)],
            made_at: Some(Address {
                city: Some("Wien".into()),
                country: Some("AT".into()),
                ..Address::default()
            }),
            dries_in: Some(Duration::from_hours(2)),
            sheet: Some(FileId(account)),
            crew: Some(TeamId(account)),
            ..plain()
        };
        let second = paints.create(&full).unwrap();
        let mut read = paints.get(second).unwrap();
        assert_eq!(read.number.get(), Some("P-2026-002"));
        assert_eq!(read.fields, Paint { number: read.number.clone(), ..full.clone() });
        assert_eq!(read.to_json()["colours"], json!(["red", "blue"]));
        assert_eq!(read.to_json()["dries_in"], 7_200_000);

        let mut cells = Cells::new();
        full.made_at.write(&mut cells);
        assert_eq!(Reader::new(cells.as_bytes()).cell(), Ok(Cell::Text(r#"{"city":"Wien","country":"AT"}"#)));

        read.made_at = Some(Address::default());
        read.colours.remove(Colour::Red);
        read.colours.insert(Colour::Green);
        paints.save(&mut read).unwrap();
        let read = paints.get(second).unwrap();
        assert_eq!(read.made_at, None, "an empty address is none");
        assert_eq!(read.colours.iter().collect::<Vec<_>>(), [Colour::Green, Colour::Blue]);
        assert_eq!(paints.get(first).unwrap().mixed_of, []);
    }

    #[test]
    fn inputs_hear_what_is_wrong_with_each_part() {
        let failures = |json: Value| -> Vec<(String, String)> {
            let found = parse::<Options<Colour>>(&json).err().or(parse::<Address>(&json).err());
            found.into_iter().flatten().map(|failure| (failure.pointer, failure.code)).collect()
        };
        assert_eq!(failures(json!(["red", "pink"])), [("/1".to_owned(), "unknown_option".to_owned())]);
        let address = parse::<Address>(&json!({ "planet": "x", "city": 1 })).unwrap_err();
        let mut places: Vec<&str> = address.iter().map(|failure| failure.pointer.as_str()).collect();
        places.sort_unstable();
        assert_eq!(places, ["/city", "/planet"]);
        assert!(parse::<Duration>(&json!("1h")).is_err());
    }
}
