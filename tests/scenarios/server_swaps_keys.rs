//! A server that puts another account, or other keys, behind a handle is found out before anything is sealed for it.

use anyhow::Result;
use carillon_client::LocalCode;
use carillon_tests::person::{Person, friends};
use carillon_tests::server::Server;
use carillon_wire::frame::Media;
use sqlx::{Connection as _, SqliteConnection};

/// Does what only the server's operator can do.
async fn tamper(server: &Server, statements: &[&'static str]) -> Result<()> {
    let file = std::fs::read_dir(server.data())?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "db" || end == "sqlite" || end == "sqlite3"));
    let file = file.ok_or_else(|| anyhow::anyhow!("no database in {}", server.data().display()))?;
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
    for statement in statements {
        sqlx::query(*statement).execute(&mut database).await?;
    }
    Ok(database.close().await?)
}

#[tokio::test]
async fn a_handle_that_points_to_another_account_is_refused_until_confirmed() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (mut ada, mut grace) = friends(&server.url()).await?;
    let _mallory = Person::online(&server.url(), "mallory").await?;
    let call = ada.dial(&grace).await?;
    grace.until_rung().await?;
    ada.client.hang_up(call).await?;
    ada.until_ended(call).await?;
    tamper(
        &server,
        &[
            "UPDATE accounts SET handle = 'gone', skeleton = 'gone' WHERE handle = 'grace'",
            "UPDATE accounts SET handle = 'grace', skeleton = 'grace' WHERE handle = 'mallory'",
        ],
    )
    .await?;
    let error = ada.client.dial(grace.handle.clone(), Media::Audio).await.unwrap_err();
    assert!(error.is_local(LocalCode::HandleChanged), "{error:?}");
    let pins = ada.client.pins();
    let pin = pins.iter().find(|pin| pin.handle == grace.handle).unwrap();
    assert!(pin.changed_to.is_some());
    Ok(())
}

#[tokio::test]
async fn keys_that_do_not_fit_the_account_are_refused() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (ada, grace) = friends(&server.url()).await?;
    let _mallory = Person::online(&server.url(), "mallory").await?;
    // Mallory's account key under Grace's account id: the id is a hash of the key, so it can't fit.
    tamper(
        &server,
        &["UPDATE accounts SET account_key = (SELECT account_key FROM accounts WHERE handle = 'mallory') \
           WHERE handle = 'grace'"],
    )
    .await?;
    let error = ada.client.dial(grace.handle.clone(), Media::Audio).await.unwrap_err();
    assert!(error.is_local(LocalCode::KeysInvalid), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_certificate_of_somebody_elses_device_is_refused() -> Result<()> {
    let server = Server::start(&[]).await?;
    let (ada, grace) = friends(&server.url()).await?;
    let _mallory = Person::online(&server.url(), "mallory").await?;
    tamper(
        &server,
        &["UPDATE devices SET (certificate_body, certificate_signature) = \
           (SELECT d.certificate_body, d.certificate_signature FROM devices d JOIN accounts a ON a.id = d.account \
            WHERE a.handle = 'mallory') \
           WHERE account = (SELECT id FROM accounts WHERE handle = 'grace')"],
    )
    .await?;
    let error = ada.client.dial(grace.handle.clone(), Media::Audio).await.unwrap_err();
    assert!(error.is_local(LocalCode::KeysInvalid), "{error:?}");
    Ok(())
}
