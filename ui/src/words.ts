// Made from crates/shell/src/words by its tests; `CARILLON_WRITE=1 cargo test -p carillon-shell typescript` writes it.

export type About = { 
/**
 * Of the app.
 */
version: string, 
/**
 * The folder with this profile's data.
 */
data: string, 
/**
 * Crates, packages and other work of others, each with its licence.
 */
licences: Array<Licence>, };
export type Account = { 
/**
 * The account.
 */
account: AccountId, 
/**
 * This device.
 */
device: DeviceId, 
/**
 * The handle.
 */
handle: Handle, 
/**
 * The display name.
 */
name: string, 
/**
 * Path of the picture under the server's address.
 */
picture?: string | null, 
/**
 * Whether it is verified.
 */
verified: boolean, };
export type AccountId = string;
export type CallEnd = { 
/**
 * Why.
 */
why: Why, 
/**
 * With `failed`: the stable code of what went wrong.
 */
code?: string | null, 
/**
 * With `failed`: a sentence in English.
 */
message?: string | null, 
/**
 * With `failed`: when to try again.
 */
retry_after?: Millis | null, };
export type CallId = string;
export type CallRequest = { "ask": "look", } | { "ask": "hang_up", call: CallId, } | { "ask": "set_media", call: CallId, media: MediaOn, } | { "ask": "accept", call: CallId, video: boolean, } | { "ask": "decline", call: CallId, scope: DeclineScope, } | { "ask": "silence", call: CallId, } | { "ask": "dial", account: AccountId, video: boolean, } | { "ask": "mark_verified", handle: Handle, } | { "ask": "devices", } | { "ask": "set_sound", change: SoundChange, } | { "ask": "set_camera", camera: string | null, } | { "ask": "listen", on: boolean, } | { "ask": "check_microphone", } | { "ask": "prefer", change: PreferencesChange, } | { "ask": "drawn", picture: number, } | { "ask": "pictures_fail", decode_here: boolean, } | { "ask": "full_screen", on: boolean, } | { "ask": "small", on: boolean, } | { "ask": "close", };
export type CallSettings = { 
/**
 * Calls as a whole.
 */
enabled: boolean, 
/**
 * People I follow may call.
 */
following: boolean, 
/**
 * Verified users may call.
 */
verified: boolean, 
/**
 * People in my address book may call.
 */
address_book: boolean, 
/**
 * Everyone may call.
 */
everyone: boolean, };
export type CallSettingsChange = { 
/**
 * Calls as a whole.
 */
enabled?: boolean | null, 
/**
 * People I follow may call.
 */
following?: boolean | null, 
/**
 * Verified users may call.
 */
verified?: boolean | null, 
/**
 * People in my address book may call.
 */
address_book?: boolean | null, 
/**
 * Everyone may call.
 */
everyone?: boolean | null, };
export type CallState = { 
/**
 * Which call.
 */
call: CallId, 
/**
 * Who placed it.
 */
direction: Direction, 
/**
 * The other end.
 */
with: Party, 
/**
 * What it was placed with.
 */
media: Media, 
/**
 * Where it stands.
 */
phase: Phase, 
/**
 * What this side sends, or will.
 */
local: MediaOn, 
/**
 * What the other side sends, once known.
 */
remote: MediaOn | null, 
/**
 * For how long it has been up, at the moment of the event.
 */
connected_for: Millis | null, 
/**
 * The safety emoji, once both ends have them.
 */
emoji: [Emoji, Emoji, Emoji, Emoji, Emoji, Emoji, Emoji] | null, 
/**
 * How it ended; in the phase `ended` alone.
 */
end: CallEnd | null, };
export type Camera = { 
/**
 * Its id; absent when no camera is to be used.
 */
chosen?: string, 
/**
 * It is open at this moment: the person is seen.
 */
on: boolean, 
/**
 * Why it gives nothing, as a sentence.
 */
problem?: string, };
export type Code = string;
export type Connection = { "connection": "idle" } | { "connection": "connecting" } | { "connection": "online" } | { "connection": "offline", 
/**
 * In milliseconds, from the moment of the event.
 */
retry_in: Millis, 
/**
 * What the server said, if it was that.
 */
code: Code | null, } | { "connection": "signed_out", 
/**
 * Why.
 */
code: Code, };
export type DeclineScope = "device" | "all";
export type Device = { 
/**
 * The device.
 */
device: DeviceId, 
/**
 * What the person calls it.
 */
name: string, 
/**
 * The one that asks.
 */
this: boolean, 
/**
 * Connected now.
 */
online: boolean, 
/**
 * When it was added.
 */
added_at: UnixMillis, 
/**
 * When it was last connected, to the day.
 */
last_seen?: UnixMillis | null, };
export type DeviceId = string;
export type Devices = { 
/**
 * Microphones and speakers.
 */
sound: Array<SoundDeviceInfo>, 
/**
 * Cameras.
 */
cameras: Array<NamedDevice>, 
/**
 * Why there is no list of microphones and speakers, as a sentence.
 */
sound_problem?: string, 
/**
 * Why there is no list of cameras, as a sentence.
 */
camera_problem?: string, };
export type Direction = "outgoing" | "incoming";
export type EchoControl = "auto" | "on" | "off";
export type Emoji = { 
/**
 * The picture.
 */
symbol: string, 
/**
 * What to say in English.
 */
en: string, 
/**
 * What to say in French.
 */
fr: string, };
export type Handle = string;
export type Hours = { 
/**
 * The first minute, counted from midnight by the clock on the wall.
 */
from: number, 
/**
 * The first minute after.
 */
to: number, };
export type Language = "system" | "en" | "fr";
export type Licence = { 
/**
 * What.
 */
name: string, 
/**
 * Which version.
 */
version: string, 
/**
 * Under which licence, as an SPDX expression.
 */
licence: string, };
export type Machine = { 
/**
 * `macos`, `windows` or `linux`.
 */
system: string, 
/**
 * The keys that mute from anywhere, as a person reads them.
 */
mute_keys?: string, 
/**
 * There is a place for an icon beside the clock.
 */
tray: boolean, 
/**
 * The language of the system, `en` or `fr`.
 */
language: string, };
export type MainRequest = { "ask": "look", } | { "ask": "find_server", address: string | null, } | { "ask": "sign_up", handle: string, name: string | null, invitation: string | null, } | { "ask": "recover", phrase: string, } | { "ask": "finish_first_start", } | { "ask": "search", text: string, } | { "ask": "person", account: AccountId, } | { "ask": "person_named", handle: Handle, } | { "ask": "following", cursor: string | null, } | { "ask": "followers", cursor: string | null, } | { "ask": "blocked", cursor: string | null, } | { "ask": "follow", account: AccountId, } | { "ask": "unfollow", account: AccountId, } | { "ask": "block", account: AccountId, } | { "ask": "unblock", account: AccountId, } | { "ask": "pins", } | { "ask": "confirm_change", handle: Handle, } | { "ask": "watch", accounts: Array<AccountId>, } | { "ask": "dial", account: AccountId, video: boolean, } | { "ask": "dial_echo", video: boolean, } | { "ask": "accept", call: CallId, video: boolean, } | { "ask": "decline", call: CallId, scope: DeclineScope, } | { "ask": "silence", call: CallId, } | { "ask": "hang_up", call: CallId, } | { "ask": "set_media", call: CallId, media: MediaOn, } | { "ask": "show_call", } | { "ask": "recent", limit: number, } | { "ask": "delete_recent", id: number, } | { "ask": "missed", kind: MissedKind, after: number, } | { "ask": "delete_missed", id: number, } | { "ask": "missed_seen", } | { "ask": "change_call_settings", change: CallSettingsChange, } | { "ask": "hide_address", on: boolean, } | { "ask": "devices", } | { "ask": "set_sound", change: SoundChange, } | { "ask": "set_camera", camera: string | null, } | { "ask": "preview", on: boolean, } | { "ask": "listen", on: boolean, } | { "ask": "play_test_sound", } | { "ask": "check_microphone", } | { "ask": "change_name", name: string, } | { "ask": "remove_picture", } | { "ask": "own_devices", } | { "ask": "revoke_device", device: DeviceId, } | { "ask": "recovery_phrase", } | { "ask": "sign_out", } | { "ask": "prefer", change: PreferencesChange, } | { "ask": "about", } | { "ask": "show_data_folder", };
export type Media = "audio" | "video";
export type MediaOn = { 
/**
 * The microphone is on.
 */
audio: boolean, 
/**
 * The camera is on.
 */
video: boolean, 
/**
 * The screen is shared.
 */
screen: boolean, };
export type MicrophoneVerdict = { "verdict": "works", 
/**
 * The microphone in use.
 */
device?: string, } | { "verdict": "muted" } | { "verdict": "no_permission" } | { "verdict": "no_device" } | { "verdict": "fails", 
/**
 * Why, as a sentence.
 */
message: string, } | { "verdict": "no_level", 
/**
 * The microphone in use.
 */
device?: string, } | { "verdict": "other_device", 
/**
 * The microphone in use.
 */
using: string, };
export type Millis = number;
export type MissedCall = { 
/**
 * For `DELETE /v1/calls/missed/{id}`; grows, so a client asks for what came after the last one it knows.
 */
id: number, 
/**
 * Who called.
 */
from: Profile, 
/**
 * With what.
 */
media: Media, 
/**
 * When.
 */
at: UnixMillis, 
/**
 * Missed or filtered.
 */
kind: MissedKind, };
export type MissedKind = "missed" | "filtered";
export type NamedDevice = { 
/**
 * The same after a restart.
 */
id: string, 
/**
 * For a person.
 */
name: string, };
export type Outcome = "talked" | "unanswered" | "missed" | "declined" | "answered_elsewhere" | "filtered" | "failed";
export type Page<T> = { 
/**
 * The entries.
 */
items: Array<T>, 
/**
 * For `?cursor=` of the next page; absent on the last one.
 */
next?: string | null, };
export type Party = { 
/**
 * The account, proved by its key.
 */
account: AccountId, 
/**
 * Its handle, as the server says.
 */
handle: Handle, 
/**
 * Its display name, as the server says.
 */
name: string, 
/**
 * It carries a verified badge, checked here. Only ever true of the other end of an incoming call, or where the
 * server says so of the one called.
 */
verified: boolean, 
/**
 * Whether the handle still belongs to whom it did.
 */
trust: Trust, };
export type Person = { 
/**
 * I follow them.
 */
following: boolean, 
/**
 * They follow me.
 */
follows_me: boolean, 
/**
 * I block them.
 */
blocked: boolean, 
/**
 * The account.
 */
account: AccountId, 
/**
 * Its handle.
 */
handle: Handle, 
/**
 * Its display name.
 */
name: string, 
/**
 * Path of its picture under the server's address, if it has one. The path changes with the picture.
 */
picture?: string | null, 
/**
 * Whether the server says that it is verified. Offers carry the proof.
 */
verified: boolean, };
export type Phase = "calling" | "ringing" | "incoming" | "waiting" | "connecting" | "connected" | "reconnecting" | "ended";
export type PinState = { 
/**
 * The handle.
 */
handle: Handle, 
/**
 * The account that it was first seen with.
 */
account: AccountId, 
/**
 * Since when.
 */
first_seen: UnixMillis, 
/**
 * The emoji were compared in a call with this account.
 */
verified: boolean, 
/**
 * The account that the handle points to now, if another: to be confirmed or not.
 */
changed_to: AccountId | null, };
export type Place = { "place": "people" } | { "place": "person", 
/**
 * Whose.
 */
handle: Handle, } | { "place": "recent" } | { "place": "privacy" };
export type Preferences = { 
/**
 * Of every text.
 */
language: Language, 
/**
 * The app starts when the person logs in, in the background, so that calls come in.
 */
start_at_login: boolean, 
/**
 * A closed main window leaves the app beside the clock, so that calls come in.
 */
tray: boolean, 
/**
 * What is heard when somebody calls.
 */
ringtone: Ringtone, 
/**
 * Whether the system announces calls.
 */
notifications: boolean, 
/**
 * The self view is turned like a mirror.
 */
mirror: boolean, 
/**
 * The other's picture fills the window, cut at the edges; else all of it is seen.
 */
fill: boolean, 
/**
 * When not to disturb.
 */
quiet: Quiet, 
/**
 * The first start is over.
 */
started: boolean, };
export type PreferencesChange = { 
/**
 * See [`Preferences::language`].
 */
language?: Language, 
/**
 * See [`Preferences::start_at_login`].
 */
start_at_login?: boolean, 
/**
 * See [`Preferences::tray`].
 */
tray?: boolean, 
/**
 * See [`Preferences::ringtone`].
 */
ringtone?: Ringtone, 
/**
 * See [`Preferences::notifications`].
 */
notifications?: boolean, 
/**
 * See [`Preferences::mirror`].
 */
mirror?: boolean, 
/**
 * See [`Preferences::fill`].
 */
fill?: boolean, 
/**
 * *Do not disturb*, by hand.
 */
quiet_now?: boolean, 
/**
 * *Do not disturb*, by hours.
 */
quiet_by_hours?: boolean, 
/**
 * The hours.
 */
quiet_hours?: Hours, };
export type Problem = { 
/**
 * The pages have a sentence for each in both languages.
 */
code: string, 
/**
 * In English.
 */
message: string, 
/**
 * When to try again.
 */
retry_after?: Millis, };
export type Profile = { 
/**
 * The account.
 */
account: AccountId, 
/**
 * Its handle.
 */
handle: Handle, 
/**
 * Its display name.
 */
name: string, 
/**
 * Path of its picture under the server's address, if it has one. The path changes with the picture.
 */
picture?: string | null, 
/**
 * Whether the server says that it is verified. Offers carry the proof.
 */
verified: boolean, };
export type Quality = { 
/**
 * Which call.
 */
call: CallId, 
/**
 * To the other end and back, in milliseconds; nothing until a report has come.
 */
round_trip_ms: number | null, 
/**
 * Packets that did not come in this second, in per cent.
 */
loss_percent: number, 
/**
 * Packets that did not come at the other end, as it reports, in per cent.
 */
loss_there_percent: number, 
/**
 * Variation of the packets' delay (RFC 3550, section 6.4.1), in milliseconds.
 */
jitter_ms: number, 
/**
 * How long a packet waits here until it is heard, in milliseconds.
 */
playout_delay_ms: number, 
/**
 * Speech of this second that had to be made up, in per cent.
 */
concealed_percent: number, 
/**
 * How long that was, in milliseconds.
 */
concealed_ms: number, 
/**
 * Loudness of the other side, in dB below full scale.
 */
level_dbfs: number, 
/**
 * Loudness of the own microphone, in dB below full scale.
 */
microphone_dbfs: number, 
/**
 * In one word.
 */
word: Word, 
/**
 * What is wrong, unless it is good.
 */
reason: Reason | null, };
export type Quiet = { 
/**
 * By hand, until it is taken back.
 */
now: boolean, 
/**
 * Every day, in these hours.
 */
by_hours: boolean, 
/**
 * The hours.
 */
hours: Hours, };
export type Reason = "silence" | "loss" | "jitter" | "delay";
export type RecentCall = { 
/**
 * For [`crate::Client::delete_recent`]; grows.
 */
id: number, 
/**
 * Which call.
 */
call: CallId, 
/**
 * Who placed it.
 */
direction: Direction, 
/**
 * The other account.
 */
account: AccountId, 
/**
 * Its handle at that time.
 */
handle: Handle | null, 
/**
 * Its display name at that time.
 */
name: string, 
/**
 * What it was placed with.
 */
media: Media, 
/**
 * What came of it.
 */
outcome: Outcome, 
/**
 * How it ended.
 */
end: CallEnd, 
/**
 * When it was placed.
 */
at: UnixMillis, 
/**
 * How long the two talked.
 */
talked: Millis | null, };
export type Recovery = { 
/**
 * In order.
 */
words: Array<string>, };
export type RingRequest = { "ask": "look", } | { "ask": "accept", call: CallId, video: boolean, } | { "ask": "decline", call: CallId, scope: DeclineScope, } | { "ask": "silence", call: CallId, };
export type Ringtone = "bells" | "silent";
export type ServerFound = { 
/**
 * Its address.
 */
address: string, 
/**
 * It runs inside this app.
 */
here: boolean, 
/**
 * Who may sign up.
 */
sign_up: SignUpMode, };
export type ShellEvent = { "event": "snapshot", 
/**
 * As it is now.
 */
now: Snapshot, } | { "event": "quality" } & Quality | { "event": "level", 
/**
 * From −100 to 0.
 */
microphone_dbfs: number, } | { "event": "sound" } & SoundNews | { "event": "changed", 
/**
 * Which.
 */
topics: Array<Topic>, } | { "event": "presence", 
/**
 * Who.
 */
account: AccountId, 
/**
 * Whether they can be reached.
 */
online: boolean, } | { "event": "go", 
/**
 * Where to.
 */
to: Place, };
export type SignUpMode = "open" | "invitation" | "closed";
export type Snapshot = { 
/**
 * Where this profile stands.
 */
standing: Standing, 
/**
 * The account, the line, the calls that are not over, who may call.
 */
client: State, 
/**
 * The call that ended last, until the person has seen it or another one begins.
 */
ended?: CallState, 
/**
 * How the person wants the app.
 */
preferences: Preferences, 
/**
 * Whether nobody is to be disturbed at this moment.
 */
quiet: boolean, 
/**
 * The server runs inside this app.
 */
server_here: boolean, 
/**
 * Whom to call to hear oneself.
 */
echo?: Handle, 
/**
 * How sound is set.
 */
sound: SoundSettings, 
/**
 * The camera.
 */
camera: Camera, 
/**
 * What this machine can do.
 */
machine: Machine, };
export type SoundChange = { 
/**
 * See [`SoundSettings::microphone`].
 */
microphone?: string, 
/**
 * See [`SoundSettings::speaker`].
 */
speaker?: string, 
/**
 * See [`SoundSettings::echo`].
 */
echo?: EchoControl, 
/**
 * See [`SoundSettings::noise`].
 */
noise?: boolean, 
/**
 * See [`SoundSettings::gain`].
 */
gain?: boolean, 
/**
 * See [`SoundSettings::volume`].
 */
volume?: number, 
/**
 * See [`SoundSettings::low_data`].
 */
low_data?: boolean, };
export type SoundDeviceInfo = { 
/**
 * What a setting keeps; the same after a restart.
 */
id: string, 
/**
 * For a person.
 */
name: string, 
/**
 * In or out.
 */
direction: SoundDirection, 
/**
 * The system would choose it.
 */
is_default: boolean, 
/**
 * It sits on the head: with two of these there is no echo.
 */
headset: boolean, };
export type SoundDirection = "microphone" | "speaker";
export type SoundNews = { "sound": "lost", 
/**
 * Which direction.
 */
device: SoundDirection, 
/**
 * What is wrong, as a sentence.
 */
message: string, } | { "sound": "using", 
/**
 * Which direction.
 */
device: SoundDirection, 
/**
 * Its name.
 */
name: string, } | { "sound": "devices_changed" } | { "sound": "talking_while_muted", 
/**
 * In which call.
 */
call: CallId, } | { "sound": "nothing_from_microphone", 
/**
 * In which call.
 */
call: CallId, };
export type SoundSettings = { 
/**
 * `default`, or a name or id of [`crate::Client::sound_devices`], or a synthetic one (`silence`, `tone`, `chirps`,
 * `wav:FILE`).
 */
microphone: string, 
/**
 * `default`, or a name or id of [`crate::Client::sound_devices`], or a synthetic one (`null`, `wav:FILE`).
 */
speaker: string, 
/**
 * Whether the other side's voice is taken out of the microphone.
 */
echo: EchoControl, 
/**
 * Whether noise is taken out of the microphone.
 */
noise: boolean, 
/**
 * Whether a soft voice is made louder and a loud one softer.
 */
gain: boolean, 
/**
 * How loud the speaker is, in per cent of the sound as it came; at most 200.
 */
volume: number, 
/**
 * Spends as little data as a voice can be understood with.
 */
low_data: boolean, };
export type Standing = "first_start" | "signed_in" | "revoked";
export type State = { 
/**
 * The server's address, once one is known.
 */
server: string | null, 
/**
 * The own account, once there is one.
 */
account: Account | null, 
/**
 * The line to the server.
 */
connection: Connection, 
/**
 * The calls that are not over.
 */
calls: Array<CallState>, 
/**
 * Missed calls that the person has not seen.
 */
unread_missed: number, 
/**
 * Who may call, as last heard.
 */
settings: CallSettings | null, 
/**
 * Whether calls go through a relay, so that whoever is at the other end does not learn this machine's address.
 */
hide_address: boolean, };
export type Topic = "settings" | "profile" | "devices" | "following" | "blocks" | "missed" | "other";
export type Trust = "new" | "known" | "verified" | "changed";
export type UnixMillis = number;
export type Why = "declined" | "busy" | "cancelled" | "no_answer" | "unavailable" | "caller_lost" | "answered_elsewhere" | "declined_elsewhere" | "over" | "hung_up_here" | "hung_up_there" | "no_server" | "failed" | "transport" | "security" | "no_route" | "lost" | "replaced" | "glare" | "in_call";
export type Word = "poor" | "fair" | "good";

export type MainReplies = {
  look: Snapshot;
  find_server: ServerFound;
  sign_up: Recovery;
  recover: Account;
  finish_first_start: null;
  search: Page<Person>;
  person: Person;
  person_named: Person;
  following: Page<Person>;
  followers: Page<Person>;
  blocked: Page<Person>;
  follow: Person;
  unfollow: Person;
  block: Person;
  unblock: Person;
  pins: Array<PinState>;
  confirm_change: PinState;
  watch: null;
  dial: CallId;
  dial_echo: CallId;
  accept: null;
  decline: null;
  silence: null;
  hang_up: null;
  set_media: null;
  show_call: null;
  recent: Array<RecentCall>;
  delete_recent: boolean;
  missed: Page<MissedCall>;
  delete_missed: null;
  missed_seen: null;
  change_call_settings: CallSettings;
  hide_address: null;
  devices: Devices;
  set_sound: SoundSettings;
  set_camera: null;
  preview: null;
  listen: null;
  play_test_sound: null;
  check_microphone: MicrophoneVerdict;
  change_name: Account;
  remove_picture: Account;
  own_devices: Array<Device>;
  revoke_device: null;
  recovery_phrase: Recovery;
  sign_out: null;
  prefer: Preferences;
  about: About;
  show_data_folder: null;
};

export type CallReplies = {
  look: Snapshot;
  hang_up: null;
  set_media: null;
  accept: null;
  decline: null;
  silence: null;
  dial: CallId;
  mark_verified: PinState;
  devices: Devices;
  set_sound: SoundSettings;
  set_camera: null;
  listen: null;
  check_microphone: MicrophoneVerdict;
  prefer: Preferences;
  drawn: null;
  pictures_fail: null;
  full_screen: null;
  small: null;
  close: null;
};

export type RingReplies = {
  look: Snapshot;
  accept: null;
  decline: null;
  silence: null;
};
