//! What is said to a person, in every language: each sentence is one line of a table with a column for each language,
//! so one that is missing does not compile.

mod codes;

use std::fmt::Display;

use carillon_client::{CallEnd, ClientError, Direction, Why};

/// A language of the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Lang {
    /// The language of the system, by the variables of POSIX in their order.
    pub(crate) fn of_system() -> Self {
        let value = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty());
        Self::of_locale(value.as_deref().unwrap_or_default())
    }

    fn of_locale(locale: &str) -> Self {
        if locale == "fr" || locale.starts_with("fr_") || locale.starts_with("fr.") {
            Self::Fr
        } else {
            Self::En
        }
    }

    /// What went wrong. In French by the code, for what the server says is English.
    pub(crate) fn error(self, error: &ClientError) -> String {
        let sentence = match self {
            Self::En => error.message.clone(),
            Self::Fr => {
                codes::french(error.code.as_str()).map_or_else(|| error.message.clone(), str::to_owned)
            }
        };
        match error.retry_after {
            Some(wait) => format!("{sentence} {}", self.try_again_in(wait.0.div_ceil(1000))),
            None => sentence,
        }
    }

    /// Why a call with `who` is over. Who was called is the one who declined, was busy, did not answer.
    pub(crate) fn end(self, end: &CallEnd, direction: Direction, who: &str) -> String {
        let incoming = direction == Direction::Incoming;
        match end.why {
            Why::Declined if incoming => self.declined_here(),
            Why::Declined => self.declined(who),
            Why::Busy if incoming => self.busy_here(),
            Why::Busy => self.busy(who),
            Why::Cancelled if incoming => self.cancelled_there(who),
            Why::Cancelled => self.cancelled(),
            Why::NoAnswer if incoming => self.no_answer_here(),
            Why::NoAnswer => self.no_answer(),
            Why::Unavailable if incoming => self.over(),
            Why::Unavailable => self.unavailable(who),
            Why::CallerLost => self.caller_lost(who),
            Why::AnsweredElsewhere => self.answered_elsewhere(),
            Why::DeclinedElsewhere => self.declined_elsewhere(),
            Why::Over => self.over(),
            Why::HungUpHere => self.hung_up_here(),
            Why::HungUpThere => self.hung_up_there(who),
            Why::NoServer => self.no_server(),
            Why::Failed => {
                let code = end.code.as_deref().unwrap_or_default();
                let said = match self {
                    Self::En => end.message.clone(),
                    Self::Fr => codes::french(code).map(str::to_owned).or_else(|| end.message.clone()),
                };
                let said = said.unwrap_or_else(|| code.to_owned());
                match end.retry_after {
                    Some(wait) => format!("{said} {}", self.try_again_in(wait.0.div_ceil(1000))),
                    None => said,
                }
            }
            Why::Transport => self.transport(),
            Why::Security => self.security(),
            Why::NoRoute => self.no_route(),
            Why::Lost => self.lost(),
            Why::Replaced => self.replaced(),
            Why::Glare => self.glare(),
            Why::InCall => self.in_call(),
        }
    }
}

macro_rules! sentences {
    ($($name:ident($($argument:ident),*): $english:literal, $french:literal;)*) => {
        impl Lang {
            $(
                pub(crate) fn $name(self $(, $argument: impl Display)*) -> String {
                    match self {
                        Self::En => format!($english),
                        Self::Fr => format!($french),
                    }
                }
            )*

            /// Every sentence, with its name in place of what it is about.
            #[cfg(test)]
            fn every_sentence(self) -> Vec<String> {
                vec![$(self.$name($(stringify!($argument)),*)),*]
            }
        }
    };
}

sentences! {
    no_account(): "No account here yet. Run: carillon signup @yourname", "Pas encore de compte ici. Tapez : carillon signup @votrenom";
    no_server_given(): "Which server? Add --server https://… or set CARILLON_SERVER.", "Quel serveur ? Ajoutez --server https://… ou définissez CARILLON_SERVER.";
    keys_in_file(): "Warning: the keys of this account are in a file. Whoever can read it can call in your name.", "Attention : les clés de ce compte sont dans un fichier. Qui peut le lire peut appeler en votre nom.";
    try_again_in(seconds): "Try again in {seconds} s.", "Réessayez dans {seconds} s.";
    handle_changed(handle): "{handle} belongs to another account than before. Ask the person, then run: carillon pins confirm {handle}", "{handle} appartient à un autre compte qu’avant. Demandez à la personne, puis tapez : carillon pins confirm {handle}";

    signed_up(handle): "Welcome, {handle}.", "Bienvenue, {handle}.";
    phrase_intro(): "Your recovery phrase. Write it down now: it is shown this once, and it is the only way back to your account.", "Votre phrase de récupération. Notez-la maintenant : elle n’est montrée que cette fois, et c’est le seul chemin de retour vers votre compte.";
    type_phrase(): "Recovery phrase (24 words): ", "Phrase de récupération (24 mots) : ";
    recovered(handle): "Welcome back, {handle}.", "Content de vous revoir, {handle}.";
    nobody_found(): "Nobody found.", "Personne.";
    nothing_here(): "Nothing here.", "Rien ici.";
    followed(handle): "You follow {handle}: with your usual settings they may call you.", "Vous suivez {handle} : avec les réglages habituels, cette personne peut vous appeler.";
    unfollowed(handle): "You follow {handle} no longer.", "Vous ne suivez plus {handle}.";
    blocked(handle): "{handle} is blocked.", "{handle} est bloqué.";
    unblocked(handle): "{handle} is no longer blocked.", "{handle} n’est plus bloqué.";
    device_revoked(): "The device is signed out.", "L’appareil est déconnecté.";
    deleted(): "Deleted.", "Supprimé.";
    change_confirmed(handle): "{handle} is now taken for the account it belongs to today.", "{handle} est désormais associé au compte auquel il appartient aujourd’hui.";
    verified_now(handle): "{handle} is marked as compared.", "{handle} est marqué comme comparé.";

    this_device(): "this device", "cet appareil";
    online(): "online", "en ligne";
    verified(): "verified", "vérifié";
    you_follow(): "you follow", "vous suivez";
    follows_you(): "follows you", "vous suit";
    is_blocked(): "blocked", "bloqué";
    compared(): "emoji compared", "émojis comparés";
    changed_hands(): "CHANGED HANDS", "A CHANGÉ DE MAINS";
    on(): "on", "oui";
    off(): "off", "non";
    setting_enabled(): "Calls", "Appels";
    setting_following(): "People I follow may call", "Les personnes que je suis peuvent appeler";
    setting_verified(): "Verified users may call", "Les utilisateurs vérifiés peuvent appeler";
    setting_address_book(): "People in my address book may call", "Les personnes de mon carnet d’adresses peuvent appeler";
    setting_everyone(): "Everyone may call", "Tout le monde peut appeler";
    nobody_can_call(): "As it stands nobody can call you. You can still call.", "En l’état, personne ne peut vous appeler. Vous pouvez toujours appeler.";

    connecting_to_server(): "Connecting to the server…", "Connexion au serveur…";
    is_online(): "Online.", "En ligne.";
    is_offline(seconds): "Offline. Next try in {seconds} s.", "Hors ligne. Nouvel essai dans {seconds} s.";
    is_signed_out(): "This device has been signed out.", "Cet appareil a été déconnecté.";
    waiting_for_calls(handle): "Waiting for calls as {handle}. Ctrl+C ends.", "En attente d’appels pour {handle}. Ctrl+C pour finir.";
    keys_listen(): "Keys: a answers, d declines, h hangs up (then Enter).", "Touches : a répond, d refuse, h raccroche (puis Entrée).";
    keys_call(): "Keys: h hangs up (then Enter).", "Touches : h raccroche (puis Entrée).";
    calling(who): "Calling {who}…", "Appel de {who}…";
    ringing(who): "It rings at {who}…", "Ça sonne chez {who}…";
    incoming(who): "{who} calls.", "{who} appelle.";
    incoming_video(who): "{who} calls with video.", "{who} appelle en vidéo.";
    incoming_waiting(who): "{who} calls too. Answering hangs up the other call.", "{who} appelle aussi. Répondre raccroche l’autre appel.";
    incoming_changed(who): "Careful: {who} is another account than before. Not answered by itself.", "Attention : {who} est un autre compte qu’avant. Pas de réponse automatique.";
    seen(width, height): "Pictures come: {width} × {height}.", "Des images arrivent : {width} × {height}.";
    accepted(who): "Accepted. Connecting to {who}…", "Accepté. Connexion à {who}…";
    connected(who): "Connected to {who}.", "Relié à {who}.";
    reconnecting(): "The connection is lost. Looking for another way…", "La connexion est perdue. Recherche d’un autre chemin…";
    emoji(list): "Both of you see, if nobody is in between:  {list}", "Vous voyez tous deux, si personne n’est entre vous :  {list}";
    ended(reason): "{reason}", "{reason}";
    ended_after(reason, length): "{reason} The call took {length}.", "{reason} L’appel a duré {length}.";
    unread_missed(number): "Missed calls: {number}", "Appels manqués : {number}";

    declined(who): "{who} declined.", "{who} a refusé.";
    busy(who): "{who} is in another call.", "{who} est en communication.";
    declined_here(): "You declined.", "Vous avez refusé.";
    busy_here(): "You were in another call.", "Vous étiez en communication.";
    cancelled(): "You gave up.", "Vous avez renoncé.";
    cancelled_there(who): "{who} gave up before you answered.", "{who} a renoncé avant votre réponse.";
    no_answer_here(): "You did not answer.", "Vous n’avez pas répondu.";
    no_answer(): "Nobody answered.", "Personne n’a répondu.";
    unavailable(who): "{who} can't be reached now.", "{who} n’est pas joignable pour l’instant.";
    caller_lost(who): "{who} lost the connection.", "{who} a perdu la connexion.";
    answered_elsewhere(): "Answered on another device.", "Répondu sur un autre appareil.";
    declined_elsewhere(): "Declined on another device.", "Refusé sur un autre appareil.";
    over(): "The call is over.", "L’appel est terminé.";
    hung_up_here(): "You hung up.", "Vous avez raccroché.";
    hung_up_there(who): "{who} hung up.", "{who} a raccroché.";
    no_server(): "The server did not answer.", "Le serveur n’a pas répondu.";
    transport(): "Sound and video of this device failed.", "Le son et la vidéo de cet appareil ont échoué.";
    security(): "Ended for your safety: the other end could not be proved to be who it should be.", "Terminé pour votre sécurité : rien ne prouve que l’autre côté soit celui qu’il devrait être.";
    no_route(): "No connection between the two devices came about.", "Aucune liaison entre les deux appareils n’a abouti.";
    lost(): "The connection was lost.", "La connexion a été perdue.";
    replaced(): "A new call took the place of this one.", "Un nouvel appel a remplacé celui-ci.";
    glare(): "You called each other. The other call goes on.", "Vous vous êtes appelés en même temps. L’autre appel continue.";
    in_call(): "You are in another call.", "Vous êtes déjà en communication.";

    no_picture_file(error): "The picture can't be read: {error}", "L’image ne peut être lue : {error}";
    no_input(error): "Standard input can't be read: {error}", "L’entrée standard ne peut être lue : {error}";
    no_data_directory(): "This system names no directory for data. Add --profile DIR.", "Ce système n’indique aucun dossier de données. Ajoutez --profile DOSSIER.";
    nothing_came(): "No call came.", "Aucun appel n’est venu.";

    quality_good(trip): "The line is good ({trip} ms there and back).", "La ligne est bonne ({trip} ms aller-retour).";
    quality_silence(): "Nothing arrives from the other side.", "Rien n’arrive de l’autre côté.";
    quality_loss(percent): "The line loses sound ({percent} % in the last second).", "La ligne perd du son ({percent} % à la dernière seconde).";
    quality_jitter(): "The line is uneven: sound comes late.", "La ligne est irrégulière : le son arrive en retard.";
    quality_delay(): "The line is long: wait for each other.", "La ligne est longue : attendez-vous l’un l’autre.";
    microphone_lost(message): "No microphone for now: {message}", "Pas de micro pour l’instant : {message}";
    speaker_lost(message): "No speaker for now: {message}", "Pas de haut-parleur pour l’instant : {message}";
    camera_lost(message): "No camera for now: {message}", "Pas de caméra pour l’instant : {message}";
    camera_back(): "The camera gives pictures.", "La caméra donne des images.";
    microphone_is(name): "Microphone: {name}", "Micro : {name}";
    speaker_is(name): "Speaker: {name}", "Haut-parleur : {name}";
    talking_while_muted(): "Are you talking? You are muted.", "Vous parlez ? Votre micro est coupé.";
    nothing_from_microphone(): "Nothing comes from your microphone. Is it the right one?", "Rien ne vient de votre micro. Est-ce le bon ?";
    microphones(): "Microphones", "Micros";
    speakers(): "Speakers", "Haut-parleurs";
    cameras(): "Cameras", "Caméras";
    camera_gives(size, coding, rate): "The camera gives {size}, {coding}, {rate} pictures a second.", "La caméra donne {size}, {coding}, {rate} images par seconde.";
    camera_broken(count): "Of its pictures {count} came broken.", "Parmi ses images, {count} sont arrivées abîmées.";
    no_camera(): "No camera is plugged in.", "Aucune caméra n’est branchée.";
    camera_drawn(): "drawn", "dessinées";
    none_of_these(): "none", "aucun";
    is_default(): "default", "par défaut";
    is_headset(): "headset", "casque";
    speak_now(): "Speak: the bar shows how loud you are. A tone plays.", "Parlez : la barre montre votre volume. Un son est joué.";

    loopback_step(step, millis): "{step}: {millis} ms", "{step} : {millis} ms";
    loopback_good(): "All as it should be: it rang, it was accepted, both saw the same seven emoji and heard each other, it was hung up.", "Tout est en ordre : ça a sonné, c’était accepté, les deux ont vu les sept mêmes émojis et se sont entendus, on a raccroché.";
    loopback_talk(seconds): "they talk for {seconds} s", "ils se parlent pendant {seconds} s";
    loopback_bad(what): "Not as it should be: {what}", "Pas comme il faut : {what}";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_is_in_every_language_and_names_what_it_is_about() {
        let (english, french) = (Lang::En.every_sentence(), Lang::Fr.every_sentence());
        assert_eq!(english.len(), french.len());
        for (english, french) in english.iter().zip(&french) {
            assert!(!english.is_empty() && !french.is_empty());
            for name in ["handle", "who", "seconds", "length", "list", "reason", "number", "millis", "error"]
            {
                let (there, here) = (english.contains(name), french.contains(name));
                // The words themselves may be part of an English sentence.
                assert!(there || !here, "{french} names {name}, {english} does not");
            }
        }
    }

    #[test]
    fn the_language_is_that_of_the_system() {
        for (locale, lang) in [
            ("fr_FR.UTF-8", Lang::Fr),
            ("fr", Lang::Fr),
            ("fr.UTF-8", Lang::Fr),
            ("fry_NL", Lang::En),
            ("en_GB.UTF-8", Lang::En),
            ("C", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(Lang::of_locale(locale), lang, "{locale}");
        }
    }
}
