//! Form II.06a as a spreadsheet that looks like the form: landscape A4, numbered columns, room for the signatures.
//!
//! The form is an official document of Vietnam and is in Vietnamese whatever the language of the screen: that is why its
//! headings stand here and not in the catalogue, and what the screen shares with it is taken in Vietnamese. The same answer
//! gives the same bytes: the date in the file is the moment as of which the figures stand, not that of the writing.

use super::looks_like_formula;
use super::period::{Period, Span};
use crate::messages::format::dated;
use crate::messages::report;
use crate::{pb, wire};
use dunghen_engine::time::{Date, Timestamp, Zone};
use dunghen_engine::views::FormKey;
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

const FONT: &str = "Times New Roman";
const A4: u8 = 9;
const TITLE: &str = "TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH\n\
                     TẠI CƠ QUAN, ĐƠN VỊ TRỰC TIẾP GIẢI QUYẾT THỦ TỤC HÀNH CHÍNH";

/// The first row of the table's header, and the row of its numbers; what is between them belongs to it.
const HEADER: u32 = 4;
const NUMBERS: u32 = HEADER + 3;
const FIRST_ROW: u32 = NUMBERS + 1;
/// How high a line of the table is, in points, and how many letters it surely holds of a name.
const ROW_HEIGHT: f64 = 18.0;
const LETTERS_OF_A_LINE: usize = 26;
/// The last column of the form, and of what goes beyond it.
const LAST: u16 = 12;
const LAST_BEYOND: u16 = LAST + 3;

/// A form to be written.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// Of this period.
    pub period: &'a Period,
    /// What the rows stand for.
    pub by: FormKey,
    /// Whose form it is; a line of dots if nobody says.
    pub unit_name: &'a str,
    /// The figures.
    pub answer: &'a pb::GetFormResponse,
}

/// The formats of the cells.
struct Formats {
    plain: Format,
    bold: Format,
    italic: Format,
    title: Format,
    centred: Format,
    signature: Format,
    header: Format,
    number_of_column: Format,
    count: Format,
    total: Format,
    total_name: Format,
    ordinal: Format,
    name: Format,
}

impl Formats {
    fn new() -> Formats {
        let font = |size: f64| Format::new().set_font_name(FONT).set_font_size(size);
        let centre = |format: Format| format.set_align(FormatAlign::Center).set_align(FormatAlign::VerticalCenter);
        let framed = |size: f64| font(size).set_border(FormatBorder::Thin);
        let cell = |size: f64| framed(size).set_text_wrap();
        let count = framed(12.0).set_num_format("#,##0").set_align(FormatAlign::Right).set_indent(1);
        let count = count.set_align(FormatAlign::VerticalCenter);
        Formats {
            plain: font(12.0).set_text_wrap().set_align(FormatAlign::Top),
            bold: font(12.0).set_bold(),
            italic: font(12.0).set_italic().set_align(FormatAlign::Right),
            title: centre(font(13.0).set_bold().set_text_wrap()),
            centred: centre(font(12.0).set_italic()),
            signature: centre(font(12.0).set_bold()),
            header: centre(cell(11.0).set_bold()),
            number_of_column: centre(cell(9.0).set_italic()),
            count: count.clone(),
            total: count.set_bold(),
            total_name: centre(cell(12.0).set_bold()),
            ordinal: centre(cell(12.0)),
            name: cell(12.0).set_align(FormatAlign::Left).set_align(FormatAlign::VerticalCenter).set_indent(1),
        }
    }
}

/// Text that a spreadsheet would take for a formula stays text, also when somebody edits the cell.
fn safely(format: &Format, text: &str) -> Format {
    if looks_like_formula(text) { format.clone().set_quote_prefix() } else { format.clone() }
}

impl Sheet<'_> {
    fn total(&self) -> pb::FormFigures {
        self.answer.total.unwrap_or_default()
    }

    /// Whether anything is counted in the columns beyond the form.
    fn goes_beyond(&self) -> bool {
        beyond(&self.total()).iter().any(|n| *n > 0)
    }

    fn last_column(&self) -> u16 {
        if self.goes_beyond() { LAST_BEYOND } else { LAST }
    }

    /// The moment as of which the figures stand: what occurs after the period does not count.
    fn cut(&self) -> Timestamp {
        wire::cut(self.answer.to.as_ref(), self.answer.as_of.as_ref())
    }

    /// The whole file.
    ///
    /// # Errors
    /// If something does not fit into a spreadsheet, such as more than a million rows.
    pub fn to_bytes(&self) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        let title = format!("II.06a {}", self.period);
        // A spreadsheet knows no date before 1900; no log is older than 1970.
        let seconds = self.cut().0.div_euclid(1000).max(0);
        let properties =
            DocProperties::new().set_title(title).set_creation_datetime(&ExcelDateTime::from_timestamp(seconds)?);
        workbook.set_properties(&properties);
        let formats = Formats::new();
        let sheet = workbook.add_worksheet();
        sheet.set_name("II.06a")?;
        self.page(sheet)?;
        self.heading(sheet, &formats)?;
        self.header(sheet, &formats)?;
        let end = self.rows(sheet, &formats)?;
        self.signatures(sheet, &formats, end + 2)?;
        workbook.save_to_buffer()
    }

    fn page(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0).set_print_center_horizontally(true);
        sheet.set_margins(0.5, 0.5, 0.6, 0.6, 0.3, 0.3);
        sheet.set_repeat_rows(HEADER, NUMBERS)?;
        sheet.set_freeze_panes(FIRST_ROW, 2)?;
        sheet.set_screen_gridlines(false);
        let zone = Zone::parse(&self.answer.time_zone).unwrap_or(Zone::UTC);
        let position = self.answer.position;
        let cut = clock(self.cut(), &zone);
        sheet.set_footer(format!(
            "&L&\"{FONT}\"&9Tính đến {cut}; nhật ký: {position} sự kiện&R&\"{FONT}\"&9Trang &P/&N"
        ));
        // Merged cells make nothing wider, so the widths are given.
        let widths = [5.0, 30.0, 11.0, 9.0, 11.5, 10.5, 11.0, 9.0, 9.0, 9.0, 11.0, 9.0, 9.0, 10.0, 10.0, 10.5];
        for (column, width) in (0..=self.last_column()).zip(widths) {
            sheet.set_column_width(column, width)?;
        }
        Ok(())
    }

    /// Above the table: which form, of which period, of whom.
    fn heading(&self, sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
        let last = self.last_column();
        sheet.merge_range(0, 0, 0, 1, "Biểu số II.06a/VPCP/KSTT", &formats.bold)?;
        sheet.merge_range(0, 2, 1, 9, TITLE, &formats.title)?;
        sheet.set_row_height(0, 20)?;
        sheet.set_row_height(1, 40)?;
        sheet.merge_range(0, 10, 0, last, "Đơn vị báo cáo:", &formats.bold)?;
        let unit = if self.unit_name.is_empty() { "…………………………………" } else { self.unit_name };
        sheet.merge_range(1, 10, 1, last, unit, &safely(&formats.plain, unit))?;
        let period = match self.period.span {
            Span::Dates => report::period(self.period).vi,
            _ => format!("Kỳ báo cáo: {}", report::period(self.period).vi),
        };
        sheet.merge_range(2, 2, 2, 9, &capitalised(&period), &formats.centred)?;
        sheet.merge_range(2, 10, 3, last, "Đơn vị tính: Số hồ sơ", &formats.italic)?;
        // Looked at before its end, the period is not over: that must stand on the paper.
        let cut = self.cut();
        if self.answer.to.as_ref().and_then(wire::instant).is_some_and(|to| cut < to.plus(-1)) {
            let zone = Zone::parse(&self.answer.time_zone).unwrap_or(Zone::UTC);
            let text = format!("(Số liệu tính đến {})", clock(cut, &zone));
            sheet.merge_range(3, 2, 3, 9, &text, &formats.centred)?;
        }
        Ok(())
    }

    fn header(&self, sheet: &mut Worksheet, formats: &Formats) -> Result<(), XlsxError> {
        let (top, middle, bottom) = (HEADER, HEADER + 1, HEADER + 2);
        let name = match self.by {
            FormKey::Field => "Lĩnh vực giải quyết",
            FormKey::Unit => "Cơ quan, đơn vị giải quyết",
        };
        let mut merged = vec![
            (top, 0, bottom, 0, "STT"),
            (top, 1, bottom, 1, name),
            (top, 2, top, 5, "Số lượng hồ sơ tiếp nhận"),
            (middle, 2, bottom, 2, "Tổng số"),
            (middle, 3, middle, 4, "Trong kỳ"),
            (middle, 5, bottom, 5, "Từ kỳ trước"),
            (top, 6, top, 9, "Số lượng hồ sơ đã giải quyết"),
            (middle, 6, bottom, 6, "Tổng số"),
            (middle, 7, bottom, 7, "Trước hạn"),
            (middle, 8, bottom, 8, "Đúng hạn"),
            (middle, 9, bottom, 9, "Quá hạn"),
            (top, 10, top, 12, "Số lượng hồ sơ đang giải quyết"),
            (middle, 10, bottom, 10, "Tổng số"),
            (middle, 11, bottom, 11, "Trong hạn"),
            (middle, 12, bottom, 12, "Quá hạn"),
        ];
        let mut single = vec![(bottom, 3, "Trực tuyến"), (bottom, 4, "Trực tiếp, dịch vụ bưu chính")];
        let numbers = if self.goes_beyond() {
            merged.extend([
                (top, 13, top, 15, "Ngoài biểu mẫu"),
                (middle, 13, middle, 14, "Không có hạn trả"),
                (middle, 15, bottom, 15, "Rút, dừng, từ chối"),
            ]);
            single.extend([(bottom, 13, "Đã giải quyết"), (bottom, 14, "Đang giải quyết")]);
            ["(3)=(4)+(5)\n+(6)", "(7)=(8)+(9)\n+(10)+(14)", "(11)=(12)\n+(13)+(15)"]
        } else {
            ["(3)=(4)+(5)\n+(6)", "(7)=(8)+(9)\n+(10)", "(11)=(12)\n+(13)"]
        };
        for (first_row, first, last_row, last, text) in merged {
            sheet.merge_range(first_row, first, last_row, last, text, &formats.header)?;
        }
        for (row, column, text) in single {
            sheet.write_string_with_format(row, column, text, &formats.header)?;
        }
        sheet.set_row_height(top, 20)?;
        sheet.set_row_height(middle, 20)?;
        sheet.set_row_height(bottom, 46)?;
        sheet.set_row_height(NUMBERS, 26)?;
        for column in 0..=self.last_column() {
            let text = match column {
                2 => numbers[0].to_owned(),
                6 => numbers[1].to_owned(),
                10 => numbers[2].to_owned(),
                _ => format!("({})", column + 1),
            };
            sheet.write_string_with_format(NUMBERS, column, text, &formats.number_of_column)?;
        }
        Ok(())
    }

    /// The rows and their total; the row after them.
    fn rows(&self, sheet: &mut Worksheet, formats: &Formats) -> Result<u32, XlsxError> {
        let mut row = FIRST_ROW;
        for (ordinal, line) in (1_u32..).zip(&self.answer.rows) {
            sheet.write_number_with_format(row, 0, ordinal, &formats.ordinal)?;
            let value = line.key.as_ref().and_then(|key| key.value.as_deref());
            let name = value.unwrap_or(match self.by {
                FormKey::Field => "(không ghi lĩnh vực)",
                FormKey::Unit => "(không ghi đơn vị)",
            });
            sheet.write_string_with_format(row, 1, name, &safely(&formats.name, name))?;
            let lines = name.chars().count().div_ceil(LETTERS_OF_A_LINE).clamp(1, 20);
            sheet.set_row_height(row, ROW_HEIGHT * lines as f64)?;
            self.counts(sheet, row, &line.figures.unwrap_or_default(), &formats.count)?;
            row += 1;
        }
        sheet.merge_range(row, 0, row, 1, &report::total().vi, &formats.total_name)?;
        sheet.set_row_height(row, ROW_HEIGHT)?;
        self.counts(sheet, row, &self.total(), &formats.total)?;
        Ok(row + 1)
    }

    fn counts(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        figures: &pb::FormFigures,
        format: &Format,
    ) -> Result<(), XlsxError> {
        let all = columns(figures).into_iter().chain(beyond(figures));
        for (column, n) in (2..=self.last_column()).zip(all) {
            // Counts of dossiers stay far below 2^53, up to which a cell of a spreadsheet is exact.
            sheet.write_number_with_format(row, column, n as f64, format)?;
        }
        Ok(())
    }

    fn signatures(&self, sheet: &mut Worksheet, formats: &Formats, row: u32) -> Result<(), XlsxError> {
        let last = self.last_column();
        let right = |sheet: &mut Worksheet, row: u32, text: &str, format: &Format| {
            sheet.merge_range(row, 7, row, last, text, format).map(|_| ())
        };
        right(sheet, row, "………………, ngày …… tháng …… năm ………", &formats.centred)?;
        sheet.merge_range(row + 1, 0, row + 1, 4, "NGƯỜI LẬP BIỂU", &formats.signature)?;
        right(sheet, row + 1, "THỦ TRƯỞNG ĐƠN VỊ", &formats.signature)?;
        sheet.merge_range(row + 2, 0, row + 2, 4, "(Ký, ghi rõ họ tên)", &formats.centred)?;
        right(sheet, row + 2, "(Ký tên, đóng dấu)", &formats.centred)
    }
}

/// Columns (3) to (13).
#[must_use]
pub fn columns(figures: &pb::FormFigures) -> [u64; 11] {
    let f = figures;
    [
        f.total_received,
        f.online,
        f.direct,
        f.carried_over,
        f.resolved,
        f.early,
        f.on_due,
        f.overdue,
        f.in_progress,
        f.within_due,
        f.in_progress_overdue,
    ]
}

/// The columns beyond the form, (14) to (16).
#[must_use]
pub fn beyond(figures: &pb::FormFigures) -> [u64; 3] {
    [figures.resolved_no_deadline, figures.in_progress_no_deadline, figures.withdrawn]
}

/// A local time as it is written in Vietnam.
fn clock(at: Timestamp, zone: &Zone) -> String {
    let minutes = zone.time_of_day(at) / 60_000;
    let date: Date = zone.date(at);
    format!("{:02}:{:02} ngày {}", minutes / 60, minutes % 60, dated(date).vi)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
