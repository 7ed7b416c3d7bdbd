//! The text of a spreadsheet's cell: what the parser of a field takes. Of a formula it is the value that was computed
//! when the workbook was saved.

use calamine::{Data, ExcelDateTime};

/// A cell: its text, empty for none, or why it has none.
pub(super) fn text(cell: Data) -> Result<String, String> {
    Ok(match cell {
        Data::Empty => String::new(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => decimal(number),
        Data::Bool(value) => value.to_string(),
        Data::String(text) | Data::DurationIso(text) => text,
        Data::DateTime(moment) => date_time(moment),
        Data::DateTimeIso(text) => text.strip_suffix("T00:00:00").map(str::to_owned).unwrap_or(text),
        Data::Error(error) => return Err(error.to_string()),
    })
}

/// A number as people see it: spreadsheets compute with 17 digits and mean 15.
pub(super) fn decimal(number: f64) -> String {
    let meant: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if meant == 0.0 { "0".to_owned() } else { meant.to_string() }
}

fn date_time(moment: ExcelDateTime) -> String {
    if moment.is_duration() {
        let milliseconds = (moment.as_f64() * 86_400_000.0).round();
        return format!("PT{}S", decimal(milliseconds / 1_000.0));
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    match (hour, minute, second, milli) {
        (0, 0, 0, 0) => date,
        (_, _, _, 0) => format!("{date}T{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{date}T{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{CellErrorType, ExcelDateTimeType};

    #[test]
    fn cells_become_what_the_fields_take() {
        let moment = |value, kind| Data::DateTime(ExcelDateTime::new(value, kind, false));
        let (date, span) = (ExcelDateTimeType::DateTime, ExcelDateTimeType::TimeDelta);
        let cases = [
            (Data::Float(0.1 + 0.2), "0.3"),
            (Data::Float(12.0), "12"),
            (Data::Float(-0.0), "0"),
            (Data::Float(1234.5), "1234.5"),
            (Data::Float(1e15), "1000000000000000"),
            (Data::Int(7), "7"),
            (Data::Bool(true), "true"),
            (Data::String(" x ".into()), " x "),
            (moment(45_943.0, date), "2025-10-13"),
            (moment(45_943.5, date), "2025-10-13T12:00:00"),
            (moment(1.5, span), "PT129600S"),
            (Data::DateTimeIso("2025-10-13T00:00:00".into()), "2025-10-13"),
            (Data::Empty, ""),
        ];
        for (cell, expected) in cases {
            assert_eq!(text(cell).unwrap(), expected);
        }
        assert_eq!(text(Data::Error(CellErrorType::Div0)).unwrap_err(), "#DIV/0!");
    }

    proptest::proptest! {
        #[test]
        fn a_decimal_of_fifteen_digits_survives(digits in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u8..=6) {
            let mut written = String::new();
            crate::records::money::write_scaled(digits, scale, &mut written);
            let read = decimal(written.parse().unwrap());
            proptest::prop_assert_eq!(crate::records::money::parse_scaled(&read, scale), Some(digits));
        }
    }
}
