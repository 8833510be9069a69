//! Profile pictures, stored under their hash.

use carillon_wire::{AccountId, Blob, Bytes32};
use sqlx::SqliteConnection;

use super::row::{Columns, ToBytes};
use super::{Result, SqliteStore, dispatch};

dispatch! {
    /// Gives an account a picture (`None`: takes it away). One that nobody has any longer is forgotten.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn set_picture(&self, account: AccountId, picture: Option<(&Bytes32, &[u8])>) -> Result<()>;

    /// The JPEG under a hash.
    ///
    /// # Errors
    /// [`StoreError`](super::StoreError) when the store fails.
    pub async fn picture(&self, hash: &Bytes32) -> Result<Option<Blob>>;
}

impl SqliteStore {
    pub(super) async fn set_picture(
        &self,
        account: AccountId,
        picture: Option<(&Bytes32, &[u8])>,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        if let Some((hash, jpeg)) = picture {
            sqlx::query("INSERT INTO pictures (hash, jpeg) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
                .bind(hash.as_ref())
                .bind(jpeg)
                .execute(&mut *tx)
                .await?;
        }
        let Some(before) = sqlx::query("SELECT picture FROM accounts WHERE id = ?1")
            .bind(account.bytes())
            .fetch_optional(&mut *tx)
            .await?
        else {
            return Ok(());
        };
        sqlx::query("UPDATE accounts SET picture = ?2 WHERE id = ?1")
            .bind(account.bytes())
            .bind(picture.map(|(hash, _)| hash.as_ref()))
            .execute(&mut *tx)
            .await?;
        if let Some(hash) = before.fixed_or_null::<32>("picture")? {
            forget_if_unused(&mut tx, &hash).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn picture(&self, hash: &Bytes32) -> Result<Option<Blob>> {
        let row = sqlx::query("SELECT jpeg FROM pictures WHERE hash = ?1")
            .bind(hash.as_ref())
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| row.blob("jpeg")).transpose()
    }
}

async fn forget_if_unused(tx: &mut SqliteConnection, hash: &Bytes32) -> Result<()> {
    sqlx::query(
        "DELETE FROM pictures WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM accounts WHERE picture = ?1)",
    )
    .bind(hash.as_ref())
    .execute(tx)
    .await?;
    Ok(())
}
