//! The pages that people see: forms, in one layout whose blocks (css, title, header, content, footer, javascript) can be replaced.
//! The query side shows them, the command side shows them again with what was wrong.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`csrf`] | that a form was sent from a page of ours |

pub mod csrf;

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use service_kit::{Problem, problem::FieldError};

/// What a page may load, and where its forms may go.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'";

/// A page with a form.
#[derive(Clone, Debug, Template)]
#[template(path = "form.html")]
pub struct FormPage {
    title: &'static str,
    action: &'static str,
    submit: &'static str,
    message: Option<String>,
    csrf_token: String,
    hidden: Vec<(&'static str, String)>,
    inputs: Vec<Input>,
}

#[derive(Clone, Debug)]
struct Input {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    value: String,
    errors: Vec<String>,
}

const fn input(name: &'static str, label: &'static str, kind: &'static str, autocomplete: &'static str) -> Input {
    Input { name, label, kind, autocomplete, value: String::new(), errors: vec![] }
}

impl FormPage {
    fn new(title: &'static str, action: &'static str, submit: &'static str, inputs: Vec<Input>) -> Self {
        Self { title, action, submit, message: None, csrf_token: String::new(), hidden: vec![], inputs }
    }

    /// `/register`
    #[must_use]
    pub fn register() -> Self {
        let inputs = vec![
            input("username", "Username", "text", "username"),
            input("password1", "Password", "password", "new-password"),
            input("password2", "Password again", "password", "new-password"),
        ];
        Self::new("Sign up", "/register", "Sign up", inputs)
    }

    /// `/login`
    #[must_use]
    pub fn log_in() -> Self {
        let inputs = vec![input("username", "Username", "text", "username"), input("password", "Password", "password", "current-password")];
        Self::new("Log in", "/login", "Log in", inputs)
    }

    /// `/logout`
    #[must_use]
    pub fn log_out() -> Self {
        Self::new("Log out", "/logout", "Log out", vec![])
    }

    /// `/password_change`
    #[must_use]
    pub fn change_password() -> Self {
        let inputs = vec![
            input("old_password", "Old password", "password", "current-password"),
            input("new_password", "New password", "password", "new-password"),
        ];
        Self::new("Change your password", "/password_change", "Change", inputs)
    }

    /// Shows again what was typed; never into a password.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: &str) -> Self {
        for input in self.inputs.iter_mut().filter(|input| input.name == name && input.kind != "password") {
            input.value = value.into();
        }
        self
    }

    /// Sends something along that nobody types.
    #[must_use]
    pub fn with_hidden(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// Shows what was wrong: beside the inputs where that can be told, above them otherwise.
    #[must_use]
    pub fn with_problem(mut self, problem: &Problem) -> Self {
        let mut beside = false;
        for FieldError { field, detail, .. } in &problem.errors {
            // What the API calls the password is typed twice here.
            let name = if field == "password" { "password1" } else { field };
            for input in self.inputs.iter_mut().filter(|input| input.name == name || input.name == field) {
                input.errors.push(detail.clone());
                beside = true;
            }
        }
        if !beside {
            self.message = Some(problem.detail.to_string());
        }
        self
    }

    /// The answer, with the token that the form has to send back.
    pub fn answer(mut self, status: StatusCode, token: csrf::Token) -> Response {
        self.csrf_token = token.value;
        let page = match self.render() {
            Ok(page) => page,
            Err(error) => return Problem::internal(error).into_response(),
        };
        let mut response = (status, Html(page)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(cookie) = token.set_cookie {
            headers.append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// A place on this site to go to after logging in: a path, and nothing that a browser would take for another host.
#[must_use]
pub fn local_path(next: &str) -> Option<&str> {
    let local = next.starts_with('/') && !next[1..].starts_with(['/', '\\']) && !next.contains(|c: char| c.is_control());
    (local && next.is_ascii()).then_some(next)
}

#[cfg(test)]
mod tests {
    use service_kit::Slug;

    use super::*;

    #[test]
    fn what_was_wrong_stands_beside_its_input_and_passwords_are_not_shown_again() {
        let wrong = Problem::validation(vec![FieldError::new("password", "too_short", "must have at least 8 characters")]);
        let page = FormPage::register().with_value("username", "a\"<b>").with_value("password1", "secret").with_problem(&wrong);
        let html = page.render().unwrap();
        assert!(html.contains("Password must have at least 8 characters."), "{html}");
        assert!(!html.contains("<b>") && !html.contains("secret"), "{html}");
        let taken = FormPage::register().with_problem(&Problem::new(Slug::UsernameTaken, "This username is taken."));
        assert!(taken.render().unwrap().contains("This username is taken."));
    }

    #[test]
    fn one_goes_on_to_places_of_this_site_only() {
        assert_eq!(local_path("/pizzas/ten?x=1"), Some("/pizzas/ten?x=1"));
        for bad in ["", "http://evil", "//evil", "/\\evil", "evil", "/a\nb", "/é"] {
            assert_eq!(local_path(bad), None, "{bad}");
        }
    }
}
