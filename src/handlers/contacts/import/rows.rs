//! The rows of a CSV file inside a multipart body, read as they arrive: no more
//! than a batch of them is held.

use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Buf, Bytes, Payload};
use csv_core::{ReadRecordResult, Reader};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::create::{NewCellPhoneBody, NewContactBody};
use crate::domain::contact::NewContact;
use crate::domain::contact_import::{BATCH, RowProblem};
use crate::error::Error;
use crate::services::contact_imports::Row;

/// The part of the form that holds the file.
const FIELD: &str = "result_file";

/// The longest file, in bytes.
const MAX_LENGTH: usize = 100 * 1024 * 1024;

/// The longest row, in bytes: some times what its columns can be at most.
const MAX_ROW: usize = 16 * 1024;

/// The most columns.
const MAX_COLUMNS: usize = 100;

/// How long a row may take to come. An import that has died is told from a slow one by this.
const PATIENCE: Duration = Duration::from_secs(60);

/// How old the first row of a batch may grow before the batch is written without waiting to be full.
const FLUSH_AFTER: Duration = Duration::from_secs(5);

/// The columns, in the order in which a row is taken apart; the last two may be left out of the file.
const COLUMNS: [&str; 6] =
    ["firstName", "lastName", "cellPhoneNumber", "cellPhoneCountryCode", "salutation", "cellPhoneExtension"];
const REQUIRED: usize = 4;

/// The rows of a file that is being sent.
pub(super) struct Rows {
    form: Multipart,
    file: Option<Field>,
    chunk: Bytes,
    length: usize,
    line: Vec<u8>,
    text: Vec<u8>,
    ends: [usize; MAX_COLUMNS],
    columns: [Option<usize>; COLUMNS.len()],
    width: usize,
    read: usize,
    /// Why there are no more rows, said once those before it have been handed on.
    broken: Option<Error>,
}

/// One row: its fields follow one another in `text`, each up to its end in `ends`.
struct Record {
    fields: usize,
    too_long: bool,
}

impl Rows {
    /// Finds the file in the form and reads its first line.
    pub(super) async fn open(request: &HttpRequest, payload: Payload) -> Result<Self, Error> {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !header(CONTENT_TYPE).to_ascii_lowercase().starts_with("multipart/form-data") {
            return Err(Error::UnsupportedMediaType { takes: "multipart/form-data with the file as result_file" });
        }
        // Before anything is imported; the form around the file is short.
        if header(CONTENT_LENGTH).parse().is_ok_and(|length: usize| length > MAX_LENGTH + MAX_ROW) {
            return Err(too_large());
        }
        let mut form = Multipart::new(request.headers(), payload);
        let file = loop {
            let field = timeout(PATIENCE, form.next()).await.map_err(|_| too_slow())?;
            let field = field.ok_or_else(|| Error::invalid(FIELD, "the form has no file of this name"))?;
            let field = field.map_err(|error| broken(&error))?;
            if field.name() == Some(FIELD) {
                break field;
            }
        };
        let mut rows = Self {
            form,
            file: Some(file),
            chunk: Bytes::new(),
            length: 0,
            line: Vec::new(),
            // One more than a line has, so that it is never quite full.
            text: vec![0; MAX_ROW + 1],
            ends: [0; MAX_COLUMNS],
            columns: [None; COLUMNS.len()],
            width: 0,
            read: 0,
            broken: None,
        };
        rows.read_names().await?;
        Ok(rows)
    }

    /// The next rows, at most a batch of them; none at the end of the file.
    pub(super) async fn batch(&mut self) -> Result<Vec<Row>, Error> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut batch = Vec::new();
        let started = Instant::now();
        while batch.len() < BATCH {
            // A file of one batch is imported at once, however slowly it comes.
            if self.read > BATCH && !batch.is_empty() && started.elapsed() > FLUSH_AFTER {
                break;
            }
            let record = match self.record().await {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) if batch.is_empty() => return Err(error),
                Err(error) => {
                    self.broken = Some(error);
                    break;
                }
            };
            self.read += 1;
            batch.push(self.row(&record).map_err(|error| RowProblem::from(&error)));
        }
        Ok(batch)
    }

    async fn read_names(&mut self) -> Result<(), Error> {
        let record = self.record().await?.ok_or_else(|| Error::invalid(FIELD, "the file is empty"))?;
        if record.too_long {
            return Err(Error::invalid(
                FIELD,
                format!("the first line is over {MAX_ROW} bytes or {MAX_COLUMNS} columns"),
            ));
        }
        self.width = record.fields;
        for index in 0..record.fields {
            let name = self.field(index).unwrap_or_default().trim();
            if let Some(column) = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name))
                && self.columns[column].replace(index).is_some()
            {
                return Err(Error::invalid(FIELD, format!("the column {} is there twice", COLUMNS[column])));
            }
        }
        match COLUMNS.iter().zip(self.columns).take(REQUIRED).find(|(_, index)| index.is_none()) {
            Some((column, _)) => {
                Err(Error::invalid(FIELD, format!("the first line does not name the column {column}")))
            }
            None => Ok(()),
        }
    }

    fn row(&self, record: &Record) -> Result<NewContact, Error> {
        if record.too_long {
            return Err(Error::invalid("row", format!("is over {MAX_ROW} bytes or {MAX_COLUMNS} columns")));
        }
        if record.fields != self.width {
            let message = format!("has {} columns, and the first line names {}", record.fields, self.width);
            return Err(Error::invalid("row", message));
        }
        let mut values: [&str; COLUMNS.len()] = Default::default();
        for (value, (column, index)) in values.iter_mut().zip(COLUMNS.into_iter().zip(self.columns)) {
            let Some(index) = index else { continue };
            *value = self.field(index).ok_or_else(|| Error::invalid(column, "is not UTF-8"))?.trim();
        }
        let [first_name, last_name, number, country_code, salutation, extension] = values.map(str::to_owned);
        let new = NewContactBody {
            first_name,
            last_name,
            salutation,
            cell_phone: NewCellPhoneBody {
                extension: Some(extension).filter(|extension| !extension.is_empty()),
                phone_number: number,
                country_code,
            },
            address: Vec::new(),
            twitter_details: Vec::new(),
        };
        new.check().map_err(by_column)
    }

    fn field(&self, index: usize) -> Option<&str> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        std::str::from_utf8(&self.text[start..self.ends[index]]).ok()
    }

    /// Reads one row. None at the end of the file. A row is a line: what it may
    /// hold has no line breaks, and so a quote that is not closed costs its own row alone.
    async fn record(&mut self) -> Result<Option<Record>, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.line.clear();
            let mut too_long = false;
            let is_last = loop {
                if self.chunk.is_empty() {
                    self.chunk = timeout_at(deadline, self.next_chunk()).await.map_err(|_| too_slow())??;
                }
                if self.chunk.is_empty() {
                    break true;
                }
                let end = self.chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                let piece = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
                too_long |= self.line.len() + piece.len() > MAX_ROW;
                if !too_long {
                    self.line.extend_from_slice(&piece);
                }
                if end.is_some() {
                    self.chunk.advance(1);
                    break false;
                }
            };
            if too_long {
                return Ok(Some(Record { fields: 0, too_long }));
            }
            if !self.line.is_empty() {
                return Ok(Some(self.split()));
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    /// Takes a line apart.
    fn split(&mut self) -> Record {
        let mut reader = Reader::new();
        let (_, _, written, fields) = reader.read_record(&self.line, &mut self.text, &mut self.ends);
        let (result, _, _, last) = reader.read_record(&[], &mut self.text[written..], &mut self.ends[fields..]);
        let too_long = !matches!(result, ReadRecordResult::Record);
        Record { fields: fields + last, too_long }
    }

    /// The next bytes of the file; none at its end, once the form has ended too.
    async fn next_chunk(&mut self) -> Result<Bytes, Error> {
        let Some(file) = &mut self.file else { return Ok(Bytes::new()) };
        loop {
            match file.next().await {
                Some(Ok(chunk)) if chunk.is_empty() => {}
                Some(Ok(chunk)) => {
                    self.length += chunk.len();
                    return if self.length > MAX_LENGTH { Err(too_large()) } else { Ok(chunk) };
                }
                Some(Err(error)) => return Err(broken(&error)),
                None => break,
            }
        }
        self.file = None;
        while let Some(field) = self.form.next().await {
            field.map_err(|error| broken(&error))?;
        }
        Ok(Bytes::new())
    }
}

/// What is wrong with a row, by the names of its columns.
fn by_column(error: Error) -> Error {
    let Error::Invalid(mut fields) = error else { return error };
    for field in &mut fields {
        let column = match field.field.as_str() {
            "cellPhone.phoneNumber" => "cellPhoneNumber",
            "cellPhone.countryCode" => "cellPhoneCountryCode",
            "cellPhone.extension" => "cellPhoneExtension",
            _ => continue,
        };
        column.clone_into(&mut field.field);
    }
    Error::Invalid(fields)
}

fn broken(error: &MultipartError) -> Error {
    match error {
        MultipartError::Payload(_) | MultipartError::Incomplete => {
            Error::invalid(FIELD, "the body ended before it was complete")
        }
        _ => Error::invalid("body", "is not a well-formed form"),
    }
}

fn too_large() -> Error {
    Error::TooLarge { what: "result_file, in bytes", limit: MAX_LENGTH }
}

fn too_slow() -> Error {
    Error::invalid(FIELD, format!("no row came for {} seconds", PATIENCE.as_secs()))
}
