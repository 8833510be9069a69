//! Makes `ui/src/words.ts` from the types.

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use ts_rs::{Config, TS, TypeVisitor};

use super::{CallRequest, MainRequest, Problem, RingRequest, ShellEvent};

/// Collects the declarations of every type that it is shown, and of all that they are made of.
struct Declarations<'a> {
    types: &'a Config,
    seen: HashSet<TypeId>,
    found: BTreeMap<String, String>,
}

impl TypeVisitor for Declarations<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
        // What has no file of its own is built into the language.
        if T::output_path().is_some() {
            let declaration = format!("export {}", T::decl(self.types));
            self.found.insert(T::ident(self.types), declaration);
        }
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

fn whole() -> String {
    // JSON has no large integers; ids of rows and milliseconds stay below 2^53.
    let types = Config::new().with_large_int("number");
    let mut declarations = Declarations { types: &types, seen: HashSet::new(), found: BTreeMap::new() };
    declarations.visit::<MainRequest>();
    declarations.visit::<CallRequest>();
    declarations.visit::<RingRequest>();
    MainRequest::visit_replies(&mut declarations);
    CallRequest::visit_replies(&mut declarations);
    RingRequest::visit_replies(&mut declarations);
    declarations.visit::<ShellEvent>();
    declarations.visit::<Problem>();
    let mut text = String::from(
        "// Made from crates/shell/src/words by its tests; `CARILLON_WRITE=1 cargo test -p carillon-shell typescript` writes it.\n\n",
    );
    for declaration in declarations.found.values() {
        let _ = writeln!(text, "{declaration}");
    }
    for (name, replies) in [
        ("MainReplies", MainRequest::replies(&types)),
        ("CallReplies", CallRequest::replies(&types)),
        ("RingReplies", RingRequest::replies(&types)),
    ] {
        let _ = writeln!(text, "\nexport type {name} = {{");
        for (request, reply) in replies {
            let _ = writeln!(text, "  {}: {reply};", snake(request));
        }
        text.push_str("};\n");
    }
    text
}

#[test]
fn the_pages_have_the_types_of_the_shell() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/words.ts");
    let made = whole();
    if std::env::var_os("CARILLON_WRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "ui/src/words.ts is not what the types say; `CARILLON_WRITE=1 cargo test -p carillon-shell typescript` writes it"
    );
}
