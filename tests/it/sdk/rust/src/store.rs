//! The `object_store` crate, as data lakes use it.

use futures::TryStreamExt as _;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
};

use crate::settings::Settings;
use crate::{Failure, SIZES, content, ensure, size_in};

const PART_BYTES: usize = 1 << 20;

/// A client of one container, to be made.
pub fn builder(settings: &Settings, container: &str) -> MicrosoftAzureBuilder {
    MicrosoftAzureBuilder::new()
        .with_account(&settings.account)
        .with_access_key(&settings.key)
        .with_endpoint(settings.endpoint.clone())
        .with_container_name(container)
        .with_allow_http(true)
}

fn client(settings: &Settings, container: &str) -> Result<MicrosoftAzure, Failure> {
    Ok(builder(settings, container).build()?)
}

fn attributes() -> Attributes {
    Attributes::from_iter([(Attribute::Metadata("writer".into()), "objectstore")])
}

pub async fn write(settings: &Settings, container: &str) -> Result<(), Failure> {
    let store = client(settings, container)?;
    for (number, size) in SIZES.into_iter().enumerate() {
        let name = format!("objectstore/{size}/{number}");
        let path = Path::from(name.as_str());
        let bytes = content(&name, size);
        if size > PART_BYTES {
            let options = PutMultipartOptions { attributes: attributes(), ..Default::default() };
            let mut upload = store.put_multipart_opts(&path, options).await?;
            for part in bytes.chunks(PART_BYTES) {
                upload.put_part(part.to_vec().into()).await?;
            }
            upload.complete().await?;
        } else {
            let options = PutOptions { attributes: attributes(), ..Default::default() };
            store.put_opts(&path, bytes.into(), options).await?;
        }
    }
    conditions(&store).await?;
    listing(&store).await
}

/// Creation and replacement under conditions: what table formats commit with.
async fn conditions(store: &MicrosoftAzure) -> Result<(), Failure> {
    let path = Path::from("conditions/one");
    let first = store.put_opts(&path, "first".into(), PutMode::Create.into()).await?;
    let again = store.put_opts(&path, "again".into(), PutMode::Create.into()).await;
    ensure(matches!(again, Err(Error::AlreadyExists { .. })), format!("created twice: {again:?}"))?;
    store.put_opts(&path, "second".into(), PutMode::Update(first.clone().into()).into()).await?;
    let stale = store.put_opts(&path, "third".into(), PutMode::Update(first.into()).into()).await;
    ensure(matches!(stale, Err(Error::Precondition { .. })), format!("updated from an old state: {stale:?}"))?;
    let read = store.get(&path).await?.bytes().await?;
    ensure(read == "second", format!("{read:?}"))?;
    let part = store.get_range(&path, 1..4).await?;
    ensure(part == "eco", format!("{part:?}"))?;
    let missing = store.get(&Path::from("conditions/none")).await;
    ensure(matches!(missing, Err(Error::NotFound { .. })), format!("found nothing: {missing:?}"))
}

async fn listing(store: &MicrosoftAzure) -> Result<(), Failure> {
    for name in ["list/a", "list/b/1", "list/b/2", "list/c"] {
        store.put(&Path::from(name), "x".into()).await?;
    }
    let prefix = Path::from("list");
    let found = store.list_with_delimiter(Some(&prefix)).await?;
    let objects: Vec<String> = found.objects.iter().map(|object| object.location.to_string()).collect();
    let folders: Vec<String> = found.common_prefixes.iter().map(ToString::to_string).collect();
    ensure(objects == ["list/a", "list/c"], format!("{objects:?}"))?;
    ensure(folders == ["list/b"], format!("{folders:?}"))?;
    let all: Vec<_> = store.list(Some(&prefix)).try_collect().await?;
    ensure(all.len() == 4, format!("{all:?}"))?;
    // This crate deletes with Blob Batch only, so deleting is left to the other client.
    Ok(())
}

pub async fn check(settings: &Settings, container: &str, writer: &str) -> Result<(), Failure> {
    let store = client(settings, container)?;
    let found: Vec<_> = store.list(Some(&Path::from(writer))).try_collect().await?;
    ensure(found.len() == SIZES.len(), format!("{} blobs of {writer}", found.len()))?;
    for object in found {
        let name = object.location.to_string();
        let expected = content(&name, size_in(&name)?);
        ensure(object.size == expected.len() as u64, format!("{name} is listed with {} bytes", object.size))?;
        let result = store.get(&object.location).await?;
        let written_by = result.attributes.get(&Attribute::Metadata("writer".into())).map(|value| value.to_string());
        ensure(written_by.as_deref() == Some(writer), format!("{name} was written by {written_by:?}"))?;
        ensure(result.bytes().await? == expected, format!("{name} differs"))?;
    }
    Ok(())
}
