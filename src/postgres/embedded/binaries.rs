//! Where Postgres' programs are on this machine.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::places::Account;
use super::{EmbeddedError, OLDEST_VERSION};

/// Where Postgres' programs are, and which major version they are.
#[derive(Debug)]
pub struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) version: u32,
}

impl Binaries {
    /// Looks in `PG_BIN_DIR`, on `PATH`, and where packages install Postgres, newest first.
    ///
    /// # Errors
    /// `BinDir` when `PG_BIN_DIR` is set and does not serve, `NotFound` when nothing does.
    pub fn find() -> Result<Self, EmbeddedError> {
        let account = Account::for_postgres()?;
        if let Some(dir) = env::var_os("PG_BIN_DIR").filter(|dir| !dir.is_empty()) {
            let dir = PathBuf::from(dir);
            let checked = Self::check(&dir, account);
            return checked.map_err(|reason| EmbeddedError::BinDir(dir, reason));
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let mut on_path = env::split_paths(&path).filter(|dir| dir.is_absolute());
        let on_path = on_path.find(|dir| dir.join("pg_ctl").is_file());
        let packaged = [
            ("/usr/lib/postgresql", ""),
            ("/usr", "pgsql-"),
            ("/opt/homebrew/opt", "postgresql@"),
            ("/usr/local/opt", "postgresql@"),
            ("/Applications/Postgres.app/Contents/Versions", ""),
        ];
        let packaged = packaged.into_iter().flat_map(|(at, prefix)| newest_first(at, prefix));
        let mut passed_over = Vec::new();
        for dir in on_path.into_iter().chain(packaged) {
            match Self::check(&dir, account) {
                Ok(found) => return Ok(found),
                Err(reason) => passed_over.push(format!(" ({} {reason})", dir.display())),
            }
        }
        Err(EmbeddedError::NotFound(passed_over.concat()))
    }

    fn check(dir: &Path, account: Account) -> Result<Self, String> {
        let mut programs = ["initdb", "pg_ctl", "postgres"].into_iter();
        if let Some(missing) = programs.find(|name| !dir.join(name).is_file()) {
            return Err(format!("has no {missing}"));
        }
        let mut postgres = account.command(&dir.join("postgres"));
        let output = postgres.arg("--version").stdout(Stdio::piped()).output();
        let output = output.map_err(|error| format!("uid {} cannot use: {error}", account.uid))?;
        let version = major_version(&String::from_utf8_lossy(&output.stdout));
        let version = version.ok_or("holds a postgres that does not tell its version")?;
        if version < OLDEST_VERSION {
            return Err(format!("holds Postgres {version}, which is too old"));
        }
        Ok(Self { dir: dir.to_owned(), version })
    }
}

/// Of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)` and of `postgres (PostgreSQL) 18beta1`.
fn major_version(line: &str) -> Option<u32> {
    let (_, number) = line.split_once("(PostgreSQL) ")?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit());
    parts.next()?.parse().ok()
}

fn newest_first(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let version = |name: &OsStr| name.to_str()?.strip_prefix(prefix)?.parse::<u32>().ok();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| Some((version(&entry.file_name())?, entry.path())));
    let mut found: Vec<_> = found.collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path.join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_is_the_number_after_the_name() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("something else 18"), None);
    }
}
