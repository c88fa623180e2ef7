//! `linarite trust`: how clients come to trust the local authority.

use crate::files::ServerFolder;
use crate::tls::CERTIFICATE_FILE;

/// What to do, with the authority's own path filled in.
///
/// # Errors
/// A sentence for the user, if there is no authority.
pub(super) fn instructions(folder: &ServerFolder) -> Result<String, String> {
    let path = folder.path(CERTIFICATE_FILE);
    match folder.read(CERTIFICATE_FILE) {
        Ok(Some(_)) => {}
        Ok(None) => {
            return Err(format!(
                "there is no local authority yet ({} is missing): start once with --tls, or name the folder with --disk",
                path.display()
            ));
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    }
    // `install` and not `cp`, which would leave the copy for root's eyes only. Absolute, because what is told is done
    // in other folders.
    let path = std::path::absolute(&path).unwrap_or(path);
    let path = path.display();
    Ok(format!(
        "The local authority is {path}\n\
         It can sign for nothing but localhost, the loopback addresses and the names of --tls-name.\n\
         Only the server's user can read it there; the last way below is for all users.\n\
         \n\
         For one shell (Python with requests, most other programs, Node):\n\
         \n\
         \x20 export REQUESTS_CA_BUNDLE='{path}'\n\
         \x20 export SSL_CERT_FILE='{path}'\n\
         \x20 export NODE_EXTRA_CA_CERTS='{path}'\n\
         \n\
         The first two take the place of the authorities that are trusted otherwise.\n\
         \n\
         For a whole Debian machine:\n\
         \n\
         \x20 sudo install -m 644 '{path}' /usr/local/share/ca-certificates/linarite.crt\n\
         \x20 sudo update-ca-certificates\n\
         \n\
         and to take it back:\n\
         \n\
         \x20 sudo rm /usr/local/share/ca-certificates/linarite.crt\n\
         \x20 sudo update-ca-certificates --fresh\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_must_be_an_authority_to_trust() {
        let data = tempfile::tempdir().unwrap();
        let folder = ServerFolder::of(data.path());
        assert!(instructions(&folder).unwrap_err().contains("--tls"));
        folder.write(CERTIFICATE_FILE, "").unwrap();
        let path = folder.path(CERTIFICATE_FILE).display().to_string();
        assert_eq!(instructions(&folder).unwrap().matches(&path).count(), 5);
    }
}
