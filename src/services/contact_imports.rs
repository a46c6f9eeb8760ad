//! Imports of contacts: read, written batch by batch, and followed.

use time::OffsetDateTime;
use uuid::Uuid;

use super::contacts;
use crate::clock::Clock;
use crate::domain::contact::{Contact, NewContact};
use crate::domain::contact_import::{ContactImport, ImportEnd, ImportState, ImportedRow, RowProblem};
use crate::domain::identity::Caller;
use crate::domain::ids::{self, StreamId};
use crate::domain::page::{Listed, Page};
use crate::error::{Error, Thing};
use crate::postgres::Database;
use crate::repositories::{Connection, contact_imports};

/// Imports contacts.
#[derive(Clone)]
pub struct ContactImports {
    database: Database,
    clock: Clock,
}

/// Where the end of an import stands: behind every row, because a batch whose
/// commit broke off may be there or not.
const END: i64 = i64::MAX;

/// A row of a file: a contact, or what is wrong with it.
pub type Row = Result<NewContact, RowProblem>;

/// What an import came to.
pub enum Imported {
    /// All at once, like a creation: one result for each row, in their order.
    AtOnce(Vec<Result<Contact, RowProblem>>),
    /// In batches, which can be looked up.
    InBatches(ContactImport, ImportState),
}

impl ContactImports {
    pub(super) fn new(database: Database, clock: Clock) -> Self {
        Self { database, clock }
    }

    /// Imports the rows that `next` answers, batch after batch until an empty
    /// one. A file that is one batch is imported at once, in one transaction. The
    /// batches of a longer one are transactions of their own, each with the report
    /// of its rows, so that what is reported is what is there, whatever happens.
    ///
    /// # Errors
    ///
    /// What `next` fails with: before a second batch has begun nothing is
    /// imported; after that it is an [`Error::ImportBrokeOff`], and the batches
    /// before stay.
    pub async fn import(
        &self,
        caller: &Caller,
        stream: &StreamId,
        mut next: impl AsyncFnMut() -> Result<Vec<Row>, Error>,
    ) -> Result<Imported, Error> {
        let account = &caller.account_id;
        let mut batch = next().await?;
        let mut following = Some(next().await?);
        if following.as_ref().is_some_and(Vec::is_empty) {
            let now = self.clock.now();
            let results =
                self.database.transaction(account, async |conn, _| insert(conn, caller, stream, &batch, now).await);
            return Ok(Imported::AtOnce(results.await?));
        }
        let id = self.begin(caller, stream).await?;
        let mut first_row = 1;
        while !batch.is_empty() {
            let rows = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            let written = self.write(caller, stream, id, first_row, &batch).await;
            first_row += if written.is_ok() { rows } else { 0 };
            let read = match (written, following.take()) {
                (Err(error), _) => Err(error),
                (Ok(()), Some(following)) => Ok(following),
                (Ok(()), None) => next().await,
            };
            batch = match read {
                Ok(batch) => batch,
                Err(cause) => {
                    if let Err(error) = self.end(caller, id, ImportEnd::Interrupted).await {
                        // The import is known to have died once it has written nothing for long.
                        error.log();
                    }
                    return Err(Error::ImportBrokeOff { import: id, rows: first_row - 1, cause: Box::new(cause) });
                }
            };
        }
        let broke_off = |cause| Error::ImportBrokeOff { import: id, rows: first_row - 1, cause: Box::new(cause) };
        self.end(caller, id, ImportEnd::Completed).await.map_err(broke_off)?;
        let (import, state) = self.find(caller, stream, id).await.map_err(broke_off)?;
        Ok(Imported::InBatches(import, state))
    }

    async fn begin(&self, caller: &Caller, stream: &StreamId) -> Result<Uuid, Error> {
        let now = self.clock.now();
        let id = ids::generate_uuid(now);
        self.database
            .transaction_apart(&caller.account_id, async |conn, _| {
                Ok(contact_imports::insert(conn, caller, stream, id, now).await?)
            })
            .await?;
        Ok(id)
    }

    async fn write(
        &self,
        caller: &Caller,
        stream: &StreamId,
        import: Uuid,
        first_row: i64,
        batch: &[Row],
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let account = &caller.account_id;
        self.database
            .transaction_apart(account, async |conn, _| {
                let results = insert(conn, caller, stream, batch, now).await?.into_iter();
                let outcomes = results.map(|result| result.map(|contact| contact.id.to_string()));
                let rows: Vec<ImportedRow> =
                    (first_row..).zip(outcomes).map(|(row, outcome)| ImportedRow { row, outcome }).collect();
                Ok(contact_imports::append(conn, account, import, first_row, &rows, None, now).await?)
            })
            .await
    }

    async fn end(&self, caller: &Caller, import: Uuid, end: ImportEnd) -> Result<(), Error> {
        let now = self.clock.now();
        let account = &caller.account_id;
        self.database
            .transaction_apart(account, async |conn, _| {
                Ok(contact_imports::append(conn, account, import, END, &[], Some(end), now).await?)
            })
            .await
    }

    /// An import, and where it stands.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn find(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: Uuid,
    ) -> Result<(ContactImport, ImportState), Error> {
        let now = self.clock.now();
        self.database
            .transaction(&caller.account_id, async |conn, _| {
                let import = contact_imports::find(conn, &caller.account_id, stream, id).await?;
                let import = import.ok_or(Error::NotFound(Thing::ContactImport))?;
                let state = import.state(now);
                Ok((import, state))
            })
            .await
    }

    /// A page of a stream's imports, newest first, each with where it stands.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub async fn list(
        &self,
        caller: &Caller,
        stream: &StreamId,
        page: &Page<Uuid>,
    ) -> Result<Listed<(ContactImport, ImportState)>, Error> {
        let now = self.clock.now();
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                let imports = contact_imports::list(conn, account, stream, page).await?;
                let imports = imports.into_iter().map(|import| (import.clone(), import.state(now))).collect();
                Ok(Listed::new(imports, page.limit, contact_imports::count(conn, account, stream).await?))
            })
            .await
    }

    /// A page of what became of an import's rows so far: of all, or of those that failed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn rows(
        &self,
        caller: &Caller,
        stream: &StreamId,
        id: Uuid,
        failed_only: bool,
        page: &Page<i64>,
    ) -> Result<Listed<ImportedRow>, Error> {
        let account = &caller.account_id;
        self.database
            .transaction(account, async |conn, _| {
                let import = contact_imports::find(conn, account, stream, id).await?;
                let import = import.ok_or(Error::NotFound(Thing::ContactImport))?;
                let total = if failed_only { import.failed } else { import.created + import.failed };
                let rows = contact_imports::rows(conn, account, id, failed_only, page).await?;
                Ok(Listed::new(rows, page.limit, total))
            })
            .await
    }
}

/// Inserts the good rows of a batch. Answers one result for each row, in their order.
async fn insert(
    conn: &mut Connection,
    caller: &Caller,
    stream: &StreamId,
    batch: &[Row],
    now: OffsetDateTime,
) -> Result<Vec<Result<Contact, RowProblem>>, Error> {
    let good: Vec<NewContact> = batch.iter().flatten().cloned().collect();
    let mut created = contacts::insert(conn, caller, stream, &good, now).await?.into_iter();
    let results = batch.iter().map(|row| match row {
        Ok(_) => {
            let created = created.next().unwrap_or(Err(Error::Internal("a row has no result")));
            created.map_err(|error| RowProblem::from(&error))
        }
        Err(problem) => Err(problem.clone()),
    });
    Ok(results.collect())
}

impl From<&Error> for RowProblem {
    fn from(error: &Error) -> Self {
        Self {
            reason: error.reason().to_owned(),
            message: error.message(),
            conflicting_id: error.conflicting_id().map(str::to_owned),
        }
    }
}
