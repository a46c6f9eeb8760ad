//! The account that Postgres runs under, and the directories it can be given.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, getegid, geteuid};

use super::EmbeddedError;

/// The kernel allows 107 bytes, macOS 103.
const LONGEST_SOCKET_PATH: usize = 100;

/// An account that processes run under and directories belong to.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

impl Account {
    pub fn ours() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    pub fn for_postgres() -> Result<Self, EmbeddedError> {
        if !geteuid().is_root() {
            return Ok(Self::ours());
        }
        let lookup = |name| User::from_name(name).ok().flatten();
        let user = lookup("postgres").or_else(|| lookup("nobody"));
        let user = user.ok_or(EmbeddedError::NoAccount)?;
        Ok(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }

    /// Without our environment: PGPORT and the like would change the server, and our secrets are
    /// not its business. The locale and time zone are fixed so as not to depend on the machine.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs([("HOME", "/"), ("LC_ALL", "C"), ("TZ", "UTC")]);
        command.envs(env::var_os("PATH").map(|path| ("PATH", path))).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if self.uid != geteuid().as_raw() {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    pub fn can_reach(self, dir: &Path) -> bool {
        let may_enter = |found: fs::Metadata| self.may_enter(found.mode(), found.uid(), found.gid());
        let ours = self.uid == geteuid().as_raw();
        ours || dir.ancestors().all(|dir| fs::metadata(dir).is_ok_and(may_enter))
    }

    fn may_enter(self, mode: u32, owner: u32, group: u32) -> bool {
        let bit = match (owner == self.uid, group == self.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        mode & bit != 0
    }
}

/// Makes a directory that only `owner` can write to, or checks that an existing one is such.
pub fn private_dir(path: &Path, mode: u32, owner: Account) -> Result<(), EmbeddedError> {
    let created = DirBuilder::new().mode(0o700).create(path);
    if let Err(error) = created
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(at("create", path)(error));
    }
    let found = fs::symlink_metadata(path).map_err(at("read", path))?;
    let ours = found.uid() == geteuid().as_raw();
    let expected = found.is_dir() && (ours || found.uid() == owner.uid);
    if !expected || found.mode() & 0o777 & !mode != 0 {
        return Err(EmbeddedError::Foreign(path.to_owned(), owner.uid));
    }
    if ours {
        let permissions = Permissions::from_mode(mode);
        fs::set_permissions(path, permissions).map_err(at("protect", path))?;
        lchown(path, Some(owner.uid), Some(owner.gid)).map_err(at("hand over", path))?;
    }
    Ok(())
}

pub fn delete(dir: &Path) -> Result<(), EmbeddedError> {
    fs::remove_dir_all(dir).map_err(at("delete", dir))
}

/// A short name that belongs to `dir`, for what cannot be in `dir` itself.
pub fn hashed(parent: &str, dir: &Path) -> PathBuf {
    let hash = fnv1a(dir.as_os_str());
    Path::new(parent).join(format!("expunge-{}-{hash:016x}", geteuid()))
}

/// Stays the same between builds, which the hasher of std does not promise.
fn fnv1a(text: &OsStr) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Besides the length, Postgres gives some characters a meaning in its list of such directories.
pub fn fits_as_socket_dir(dir: &Path) -> bool {
    let plain = dir.to_str().is_some_and(|text| !text.contains(['"', '\\', ',', '\n']));
    plain && dir.join(".s.PGSQL.5432").as_os_str().len() <= LONGEST_SOCKET_PATH
}

pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Io(action, path, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bit_that_applies_to_the_account_counts() {
        let account = Account { uid: 101, gid: 104 };
        assert!(account.may_enter(0o755, 0, 0));
        assert!(!account.may_enter(0o700, 0, 0));
        assert!(account.may_enter(0o700, 101, 0));
        assert!(account.may_enter(0o710, 0, 104));
        assert!(!account.may_enter(0o701, 0, 104));
    }

    #[test]
    fn hash_is_fnv1a() {
        assert_eq!(fnv1a(OsStr::new("foobar")), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn socket_stays_out_of_long_and_odd_directories() {
        assert!(fits_as_socket_dir(&Path::new("/").join("x".repeat(85))));
        assert!(!fits_as_socket_dir(&Path::new("/").join("x".repeat(86))));
        assert!(!fits_as_socket_dir(Path::new("/a,b")));
    }
}
