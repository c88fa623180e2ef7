//! What the services share, where one conversation after another cannot show it: across a kill, and at once.

use crate::client::{Client, Request, Service, request};
use crate::node::Node;

const LOGGING: &str = "<Logging><Version>1.0</Version><Delete>true</Delete><Read>false</Read><Write>false</Write>\
    <RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>";
const CORS: &str = "<Cors><CorsRule><AllowedMethods>GET</AllowedMethods><AllowedOrigins>http://a.example</AllowedOrigins>\
    <AllowedHeaders /><ExposedHeaders /><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule></Cors>";
const POLICY: &str =
    "<SignedIdentifiers><SignedIdentifier><Id>kept</Id></SignedIdentifier></SignedIdentifiers>";

fn set(inner: &str) -> Request {
    let document = format!("<StorageServiceProperties>{inner}</StorageServiceProperties>");
    Request::new("PUT", "/?restype=service&comp=properties").body(document)
}

fn settings(client: &mut Client) -> String {
    client.call(&Request::new("GET", "/?restype=service&comp=properties")).expect(200).text()
}

/// Where a resource's policies are.
fn policies(service: Service) -> &'static str {
    match service {
        Service::Blob => "/policed?restype=container&comp=acl",
        Service::Queue | Service::Table => "/policed?comp=acl",
    }
}

#[test]
fn settings_and_policies_outlive_a_kill() {
    let mut node = Node::start();
    for service in Service::ALL {
        let mut client = Client::new(&node, service);
        client.call(&set(&format!("{LOGGING}{CORS}"))).expect(202);
        let create = match service {
            Service::Blob => request::create_container("policed"),
            Service::Queue => request::create_queue("policed"),
            Service::Table => request::create_table("policed"),
        };
        client.call(&create).expect(201);
        let answer = client.call(&Request::new("PUT", policies(service)).body(POLICY));
        assert!(answer.status < 300, "{service:?}: {}", answer.text());
    }
    node.kill();
    node.restart();
    for service in Service::ALL {
        let mut client = Client::new(&node, service);
        let kept = settings(&mut client);
        assert!(kept.contains(LOGGING) && kept.contains(CORS), "{service:?}: {kept}");
        let kept = client.call(&Request::new("GET", policies(service))).expect(200).text();
        assert!(kept.ends_with(POLICY), "{service:?}: {kept}");
    }
}

#[test]
fn two_clients_that_set_different_things_at_once_both_succeed() {
    let node = Node::start();
    for _ in 0..20 {
        let clear = "<Cors/>".to_owned() + &LOGGING.replace("<Delete>true", "<Delete>false");
        Client::new(&node, Service::Blob).call(&set(&clear)).expect(202);
        std::thread::scope(|scope| {
            for inner in [LOGGING, CORS] {
                let node = &node;
                scope.spawn(move || Client::new(node, Service::Blob).call(&set(inner)).expect(202));
            }
        });
        let kept = settings(&mut Client::new(&node, Service::Blob));
        assert!(kept.contains(LOGGING) && kept.contains(CORS), "{kept}");
    }
}
