//! A pipe goes in, an error comes out if it is not one of this user: whoever takes a name first could stand in for a
//! server.

use std::io;
use std::os::windows::io::AsRawHandle;

use windows_permissions::constants::{SeObjectType, SecurityInformation};
use windows_permissions::utilities::current_process_sid;
use windows_permissions::wrappers::GetSecurityInfo;

/// The system itself, and the administrators: what root is elsewhere.
const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";

/// The security id of the user as whom this process acts, as text.
fn us() -> io::Result<String> {
    Ok(current_process_sid()?.to_string())
}

/// What a pipe of ours is made with, in the security descriptor language (SDDL): it belongs to this user, who may do
/// everything (GA) with it, as the system (SY) and the administrators (BA) may. Nobody else may do anything, and nothing
/// is inherited (P).
pub(super) fn descriptor() -> io::Result<String> {
    let us = us()?;
    Ok(format!("O:{us}D:P(A;;GA;;;{us})(A;;GA;;;SY)(A;;GA;;;BA)"))
}

/// Nobody can make a pipe that belongs to somebody else.
pub(super) fn check(pipe: &impl AsRawHandle, path: &str) -> io::Result<()> {
    let found = GetSecurityInfo(pipe, SeObjectType::SE_KERNEL_OBJECT, SecurityInformation::Owner)?;
    let owner = found.owner().map(ToString::to_string);
    let us = us()?;
    match owner {
        Some(owner) if owner == us || owner == SYSTEM || owner == ADMINISTRATORS => Ok(()),
        owner => {
            let owner = owner.unwrap_or_else(|| "nobody".to_owned());
            let what = format!(
                "the server at {path} belongs to {owner} and not to this user ({us}), the administrators or the \
                 system: end that process, or take another name"
            );
            Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use interprocess::os::windows::named_pipe::PipeListenerOptions;
    use interprocess::os::windows::named_pipe::pipe_mode::Bytes;
    use interprocess::os::windows::security_descriptor::SecurityDescriptor;
    use tokio::net::windows::named_pipe::ClientOptions;
    use widestring::U16CString;
    use windows_permissions::wrappers::ConvertSecurityDescriptorToStringSecurityDescriptor;

    use super::super::super::LocalConnector;
    use super::super::{address, server::PipeServer};
    use super::*;
    use crate::limits::Limits;

    /// Whoever may open it, the guests (BG) own it.
    const FOREIGN: &str = "O:BGD:P(A;;GA;;;WD)";

    fn fresh() -> String {
        format!("owner-{}", crate::random::hex(8))
    }

    /// Owner and access list of a pipe, in SDDL.
    fn said_of(pipe: &impl AsRawHandle) -> String {
        let what = SecurityInformation::Owner | SecurityInformation::Dacl;
        let found = GetSecurityInfo(pipe, SeObjectType::SE_KERNEL_OBJECT, what).unwrap();
        ConvertSecurityDescriptorToStringSecurityDescriptor(&found, what)
            .unwrap()
            .to_string_lossy()
            .into_owned()
    }

    #[tokio::test]
    async fn a_pipe_is_for_its_user_the_system_and_the_administrators_alone() {
        let name = fresh();
        let path = address(&name);
        let mut server =
            PipeServer::listen(LocalConnector::new(&name), path.clone(), Limits::default()).unwrap();
        let us = us().unwrap();
        for made in ["at first", "in place of another"] {
            let client = ClientOptions::new().open(&path).unwrap();
            let said = said_of(&client);
            // All rights of a file (FA) are what GA comes to for a pipe; they may be shown as a number.
            let said = said.replace("0x1f01ff", "FA").replace("GA", "FA");
            let ours = format!("O:{us}D:P(A;;FA;;;{us})(A;;FA;;;SY)(A;;FA;;;BA)");
            assert_eq!(said, ours, "the pipe made {made}");
            check(&client, &path).unwrap();
            drop(client);
            server.replace_instance().unwrap();
        }
    }

    #[tokio::test]
    async fn a_pipe_of_somebody_else_is_not_trusted() {
        let path = address(&fresh());
        let descriptor = SecurityDescriptor::deserialize(&U16CString::from_str(FOREIGN).unwrap()).unwrap();
        let _stranger = PipeListenerOptions::new()
            .path(U16CString::from_str(&path).unwrap())
            .security_descriptor(Some(descriptor))
            .create_tokio_duplex::<Bytes>()
            .unwrap();
        let client = ClientOptions::new().open(&path).unwrap();
        let error = check(&client, &path).expect_err("a stranger's pipe is trusted");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("S-1-5-32-546") && error.to_string().contains(&path), "{error}");
    }
}
