//! Who calls, and what they may do.

use secrecy::SecretString;

use super::ids::{AccountId, ClientId, UserId};

/// A right that a client has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Contacts.
    Configuration,
    /// Campaigns and their contact lists.
    CampaignManagement,
    /// Record lists and their records.
    RecordListsManage,
    /// A record list's status.
    RecordListsWrite,
    /// Looking deletions up.
    DeletionsRead,
    /// Deletions that cannot be undone.
    DeletionsHard,
    /// Restoring from the trash.
    DeletionsRestore,
    /// How long the trash is kept.
    RetentionManage,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 8] = [
        Scope::Configuration,
        Scope::CampaignManagement,
        Scope::RecordListsManage,
        Scope::RecordListsWrite,
        Scope::DeletionsRead,
        Scope::DeletionsHard,
        Scope::DeletionsRestore,
        Scope::RetentionManage,
    ];

    /// The scope's name, as clients are given it and tokens carry it.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Configuration => "configuration",
            Scope::CampaignManagement => "campaign_management",
            Scope::RecordListsManage => "record-lists:manage",
            Scope::RecordListsWrite => "record-lists:write",
            Scope::DeletionsRead => "deletions:read",
            Scope::DeletionsHard => "deletions:hard",
            Scope::DeletionsRestore => "deletions:restore",
            Scope::RetentionManage => "retention:manage",
        }
    }

    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Scopes as tokens carry them: their names, with spaces between.
    pub fn join(scopes: &[Scope]) -> String {
        scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
    }
}

/// Who sent a request that has been signed in, and in whose name it acts.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account of the client; the only account the request can see.
    pub account_id: AccountId,
    /// The account's organisation.
    pub org_id: String,
    /// The client that signed the token.
    pub client_id: ClientId,
    /// The agent that the client acts as.
    pub agent_id: String,
    /// The user on whose behalf it acts: the token's, else the client's service user.
    pub user_id: UserId,
    /// What the client may do.
    pub scopes: Vec<Scope>,
    /// The request's id, as it is answered and logged.
    pub request_id: String,
}

impl Caller {
    /// Whether the client was given `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// A client as its operator sees it: without its secret.
#[derive(Clone, Debug)]
pub struct Client {
    /// The account it belongs to.
    pub account_id: AccountId,
    /// Its id, which tokens carry as `appId`.
    pub client_id: ClientId,
    /// What its operator calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Whether its tokens may live for ever.
    pub expiry: TokenExpiry,
    /// Whether it has been revoked.
    pub revoked: bool,
}

/// A token of ours, for the client that asked for it.
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// How long it lives, in seconds.
    pub lifetime: i64,
    /// What it allows.
    pub scopes: Vec<Scope>,
}

/// A client's secret, in the one moment in which it can be read.
pub struct NewSecret {
    /// The client.
    pub client_id: ClientId,
    /// The printed characters are the key that signs its tokens.
    pub secret: SecretString,
}

/// Whether a client's tokens must expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenExpiry {
    /// `exp` is required and at most an hour away.
    Strict,
    /// A token without `exp` is accepted and never expires.
    Optional,
}

/// What the database knows of a client that asks to be signed in.
#[derive(Debug)]
pub struct SignIn {
    /// The client's account.
    pub account_id: AccountId,
    /// The account's organisation.
    pub org_id: String,
    /// The agent that the client acts as.
    pub agent_id: String,
    /// The client's service user.
    pub user_id: UserId,
    /// What the client may do.
    pub scopes: Vec<Scope>,
    /// The client's secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Whether its tokens must expire.
    pub expiry: TokenExpiry,
    /// Whether every stream that the request names is the account's.
    pub streams_known: bool,
}
