//! The vendor's `azure_storage_blob` crate.
//!
//! It knows tokens only. Its pipeline takes policies of the caller, so account keys are possible nonetheless: the
//! policy here signs each try with `SharedKey`.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{ClientOptions, Context, Request, RequestContent, Url};
use azure_storage_blob::models::{BlobClientUploadOptions, BlobContainerClientListBlobsOptions, ListBlobsIncludeItem};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::settings::Settings;
use crate::{Failure, SIZES, content, ensure, size_in};

#[derive(Debug)]
struct SharedKey {
    account: String,
    key: Vec<u8>,
}

impl SharedKey {
    fn sign(&self, request: &Request) -> String {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in request.headers().iter() {
            headers.push((name.as_str().to_ascii_lowercase(), value.as_str().to_owned()));
        }
        headers.sort();
        let header = |name: &str| {
            headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let length = match request.body().len() {
            None | Some(0) => String::new(),
            Some(length) => length.to_string(),
        };
        let mut text = format!("{}\n", request.method().as_ref());
        for part in ["content-encoding", "content-language"] {
            text += &format!("{}\n", header(part));
        }
        text += &format!("{length}\n");
        for part in ["content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match"] {
            text += &format!("{}\n", if part == "date" { String::new() } else { header(part) });
        }
        for part in ["if-unmodified-since", "range"] {
            text += &format!("{}\n", header(part));
        }
        for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
            text += &format!("{name}:{}\n", value.trim());
        }
        text += &format!("/{}{}", self.account, request.url().path());
        let mut query: Vec<(String, String)> =
            request.url().query_pairs().map(|(name, value)| (name.to_lowercase(), value.into_owned())).collect();
        query.sort();
        for (name, value) in query {
            text += &format!("\n{name}:{value}");
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        format!("SharedKey {}:{}", self.account, STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let now = azure_core::time::to_rfc7231(&azure_core::time::OffsetDateTime::now_utc());
        request.insert_header("x-ms-date", now);
        let authorization = self.sign(request);
        request.insert_header("authorization", authorization);
        next[0].send(ctx, request, &next[1..]).await
    }
}

fn client(settings: &Settings, container: &str) -> Result<BlobContainerClient, Failure> {
    let key = STANDARD.decode(&settings.key)?;
    let policy = SharedKey { account: settings.account.clone(), key };
    let client_options = ClientOptions { per_try_policies: vec![Arc::new(policy)], ..Default::default() };
    let options = BlobContainerClientOptions { client_options, ..Default::default() };
    let url = Url::parse(&format!("{}/{container}", settings.endpoint))?;
    Ok(BlobContainerClient::new(url, None, Some(options))?)
}

pub async fn create_container(settings: &Settings, container: &str) -> Result<(), Failure> {
    let client = client(settings, container)?;
    if !client.exists().await? {
        client.create(None).await?;
    }
    Ok(())
}

/// The tags of a blob.
pub async fn tags(settings: &Settings, container: &str, name: &str) -> Result<Vec<(String, String)>, Failure> {
    let found = client(settings, container)?.blob_client(name).get_tags(None).await?.into_model()?;
    let tags = found.blob_tag_set.unwrap_or_default().into_iter();
    Ok(tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect())
}

pub async fn write(settings: &Settings, container: &str) -> Result<(), Failure> {
    let client = client(settings, container)?;
    for (number, size) in SIZES.into_iter().enumerate() {
        let name = format!("azurerust/{size}/{number}");
        let options = BlobClientUploadOptions {
            metadata: Some(HashMap::from([("writer".to_owned(), "azurerust".to_owned())])),
            ..Default::default()
        };
        let blob = client.blob_client(&name);
        blob.upload(RequestContent::from(content(&name, size)), Some(options)).await?;
        ensure(blob.exists().await?, format!("{name} is not there"))?;
    }
    for name in ["conditions/one", "list/a", "list/b/1", "list/b/2", "list/c"] {
        let blob = client.blob_client(name);
        blob.delete(None).await?;
        ensure(!blob.exists().await?, format!("{name} is still there"))?;
    }
    ensure(!client.blob_client("azurerust/none").exists().await?, "a blob is there that is not")
}

pub async fn check(settings: &Settings, container: &str, writer: &str) -> Result<(), Failure> {
    let client = client(settings, container)?;
    let options = BlobContainerClientListBlobsOptions {
        prefix: Some(format!("{writer}/")),
        include: Some(vec![ListBlobsIncludeItem::Metadata]),
        maxresults: Some(3),
        ..Default::default()
    };
    let found: Vec<_> = client.list_blobs(Some(options))?.try_collect().await?;
    ensure(found.len() == SIZES.len(), format!("{} blobs of {writer}", found.len()))?;
    for blob in found {
        let name = blob.name.ok_or("a blob without a name")?;
        let expected = content(&name, size_in(&name)?);
        let length = blob.properties.and_then(|properties| properties.content_length);
        ensure(length == Some(expected.len() as u64), format!("{name} is listed with {length:?} bytes"))?;
        let read = client.blob_client(&name).download(None).await?.body.collect().await?;
        ensure(read == expected, format!("{name} differs"))?;
    }
    Ok(())
}
