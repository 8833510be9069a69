//! Reading rows back into the types of the protocol.

use carillon_wire::bytes::Fixed;
use carillon_wire::{AccountId, Blob, CallId, DeviceId, Handle, UnixMillis};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Result, StoreError};

/// Columns as the protocol's types. A value that this version can't have written is [`StoreError::Corrupt`].
pub(super) trait Columns {
    /// Exactly `N` bytes.
    fn fixed<const N: usize>(&self, column: &'static str) -> Result<Fixed<N>>;
    /// Exactly `N` bytes, or NULL.
    fn fixed_or_null<const N: usize>(&self, column: &'static str) -> Result<Option<Fixed<N>>>;
    /// Bytes of any number.
    fn blob(&self, column: &'static str) -> Result<Blob>;
    /// Text.
    fn text(&self, column: &'static str) -> Result<String>;
    /// A number that is not negative.
    fn number(&self, column: &'static str) -> Result<u64>;
    /// A number that is not negative, or NULL.
    fn number_or_null(&self, column: &'static str) -> Result<Option<u64>>;
    /// 0 is false, everything else true.
    fn flag(&self, column: &'static str) -> Result<bool>;

    /// An account id.
    fn account(&self, column: &'static str) -> Result<AccountId> {
        self.fixed(column).map(AccountId)
    }
    /// A device id.
    fn device(&self, column: &'static str) -> Result<DeviceId> {
        self.fixed(column).map(DeviceId)
    }
    /// A device id, or NULL.
    fn device_or_null(&self, column: &'static str) -> Result<Option<DeviceId>> {
        Ok(self.fixed_or_null(column)?.map(DeviceId))
    }
    /// A call id.
    fn call(&self, column: &'static str) -> Result<CallId> {
        self.fixed(column).map(CallId)
    }
    /// A moment.
    fn moment(&self, column: &'static str) -> Result<UnixMillis> {
        self.number(column).map(UnixMillis)
    }
    /// A moment, or NULL.
    fn moment_or_null(&self, column: &'static str) -> Result<Option<UnixMillis>> {
        Ok(self.number_or_null(column)?.map(UnixMillis))
    }
    /// A handle.
    fn handle(&self, column: &'static str) -> Result<Handle> {
        Handle::parse(&self.text(column)?).map_err(|_| StoreError::Corrupt(column))
    }
}

impl Columns for SqliteRow {
    fn fixed<const N: usize>(&self, column: &'static str) -> Result<Fixed<N>> {
        let bytes: &[u8] = self.try_get(column)?;
        bytes.try_into().map(Fixed).map_err(|_| StoreError::Corrupt(column))
    }

    fn fixed_or_null<const N: usize>(&self, column: &'static str) -> Result<Option<Fixed<N>>> {
        let bytes: Option<&[u8]> = self.try_get(column)?;
        bytes.map(|bytes| bytes.try_into().map(Fixed).map_err(|_| StoreError::Corrupt(column))).transpose()
    }

    fn blob(&self, column: &'static str) -> Result<Blob> {
        Ok(Blob(self.try_get(column)?))
    }

    fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &'static str) -> Result<u64> {
        let number: i64 = self.try_get(column)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt(column))
    }

    fn number_or_null(&self, column: &'static str) -> Result<Option<u64>> {
        let number: Option<i64> = self.try_get(column)?;
        number.map(|number| u64::try_from(number).map_err(|_| StoreError::Corrupt(column))).transpose()
    }

    fn flag(&self, column: &'static str) -> Result<bool> {
        let number: i64 = self.try_get(column)?;
        Ok(number != 0)
    }
}

/// An id as SQLite binds it.
pub(super) trait ToBytes {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

impl ToBytes for AccountId {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl ToBytes for DeviceId {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl ToBytes for CallId {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// A moment, a span or a counter as SQLite binds it; what does not fit is far beyond any date and stays at the end.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
