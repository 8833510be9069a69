use std::io::Cursor;

use axum::http::{Method, StatusCode, header};
use carillon_wire::Code;
use carillon_wire::limits::{MAX_PICTURE_BYTES, PICTURE_SIDE};
use carillon_wire::rest::{Me, Profile};
use image::{ImageFormat, Rgba, RgbaImage};

use crate::world::*;

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbaImage::from_pixel(width, height, Rgba([9, 99, 199, 255]))
        .write_to(&mut bytes, ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

async fn upload(phone: &Phone, world: &World, bytes: Vec<u8>) -> Answer {
    phone.send(world, Method::PUT, "/v1/me/picture", bytes).await
}

#[tokio::test]
async fn a_picture_becomes_a_small_jpeg_that_others_see() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    let profile: Profile = upload(&ada, &world, png(300, 200)).await.ok();
    let path = profile.picture.unwrap();
    assert!(path.starts_with("/v1/pictures/"));
    let picture = bert.get(&world, &path).await;
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.headers[header::CONTENT_TYPE], "image/jpeg");
    let decoded = image::load_from_memory_with_format(&picture.body, ImageFormat::Jpeg).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (PICTURE_SIDE, PICTURE_SIDE));
    assert_eq!(world.anyone(Method::GET, &path, "").await.code(), Code::NotSignedIn);
}

#[tokio::test]
async fn another_picture_has_another_path_and_the_old_one_is_gone() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let first = upload(&ada, &world, png(64, 64)).await.ok::<Profile>().picture.unwrap();
    let mut other = Cursor::new(Vec::new());
    RgbaImage::from_pixel(8, 8, Rgba([255, 0, 0, 255])).write_to(&mut other, ImageFormat::WebP).unwrap();
    let second = upload(&ada, &world, other.into_inner()).await.ok::<Profile>().picture.unwrap();
    assert_ne!(first, second);
    assert_eq!(ada.get(&world, &first).await.code(), Code::NotFound);
    let profile: Profile = ada.delete(&world, "/v1/me/picture").await.ok();
    assert_eq!(profile.picture, None);
    assert_eq!(ada.get(&world, &second).await.code(), Code::NotFound);
    assert_eq!(ada.get(&world, "/v1/pictures/nonsense").await.code(), Code::NotFound);
}

#[tokio::test]
async fn bombs_and_rubbish_are_refused_and_the_picture_stays() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let path = upload(&ada, &world, png(64, 64)).await.ok::<Profile>().picture;
    // The sides stand at bytes 16 to 23 of a PNG; its checksum is then wrong as well, which must not matter.
    let mut bomb = png(64, 64);
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let wide = png(4097, 1);
    let mut cut = png(64, 64);
    cut.truncate(60);
    for (bytes, codes) in [
        (bomb, [Code::PictureTooLarge, Code::PictureInvalid]),
        (wide, [Code::PictureTooLarge; 2]),
        (cut, [Code::PictureInvalid; 2]),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), [Code::PictureInvalid; 2]),
        (Vec::new(), [Code::PictureInvalid; 2]),
        (vec![0; MAX_PICTURE_BYTES + 1], [Code::PictureTooLarge; 2]),
    ] {
        let code = upload(&ada, &world, bytes).await.code();
        assert!(codes.contains(&code), "{code}");
    }
    assert_eq!(ada.get(&world, "/v1/me").await.ok::<Me>().profile.picture, path);
}

#[tokio::test]
async fn the_largest_pictures_at_once_hold_nobody_up() {
    let world = World::new().await;
    let ada = world.somebody(1, "ada").await;
    let bert = world.somebody(2, "bert").await;
    // A third of a megabyte, and 64 MiB when it is decoded.
    let heavy = png(4096, 4096);
    assert!(heavy.len() < MAX_PICTURE_BYTES / 4);
    let uploads = async {
        let all = (0..4).map(|_| upload(&ada, &world, heavy.clone()));
        for answer in futures_util::future::join_all(all).await {
            answer.ok::<Profile>();
        }
    };
    let others = async {
        for _ in 0..10 {
            bert.get(&world, "/v1/me").await.ok::<Me>();
        }
    };
    let mut uploads = std::pin::pin!(uploads);
    tokio::select! {
        biased;
        () = &mut uploads => panic!("others had to wait"),
        () = others => {}
    }
    uploads.await;
}
