//! The colours of charts. Each has one meaning.

use plotters::style::RGBColor;

pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub const INK: RGBColor = RGBColor(0x1f, 0x23, 0x28);
pub const FAINT: RGBColor = RGBColor(0xd0, 0xd7, 0xde);
pub const SHADE: RGBColor = RGBColor(0xec, 0xee, 0xf1);
pub const REQUESTS: RGBColor = RGBColor(0x33, 0x33, 0x33);
// These two can be distinguished with all kinds of colour vision.
pub const ATTEMPTS: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub const SUCCESSES: RGBColor = RGBColor(0x00, 0x72, 0xb2);

/// The colours in the dark colour scheme.
const DARK: [(RGBColor, &str); 7] = [
    (PAPER, "#0d1117"),
    (INK, "#e6edf3"),
    (FAINT, "#3d444d"),
    (SHADE, "#22272e"),
    (REQUESTS, "#d0d0d0"),
    (ATTEMPTS, "#f0883e"),
    (SUCCESSES, "#56b4e9"),
];

/// Returns a style with rules for attributes, because the backend does not write classes. Without it, a
/// chart is light, and the line of its requests is not dashed.
pub fn style() -> String {
    let dark = DARK.map(|(light, dark)| {
        let light = name(light);
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    });
    format!(
        "polyline[stroke=\"{}\"]{{stroke-dasharray:10 8}}\
         @media(prefers-color-scheme:dark){{{}}}",
        name(REQUESTS),
        dark.concat()
    )
}

/// Returns the meaning of the colours as a list, for a page with this style.
pub fn legend() -> String {
    let line = |colour, width, text| {
        let colour = name(colour);
        let key = format!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" points=\"0,14 60,14\"/>"
        );
        item(&key, text)
    };
    let shade = format!(
        "<rect fill=\"{}\" width=\"60\" height=\"28\"/>",
        name(SHADE)
    );
    [
        line(REQUESTS, 3, "requests per second"),
        line(ATTEMPTS, 6, "attempts per second"),
        line(SUCCESSES, 6, "successes per second"),
        item(&shade, "the fault"),
    ]
    .concat()
}

fn item(key: &str, text: &str) -> String {
    format!("<li><svg viewBox=\"0 0 60 28\" aria-hidden=\"true\">{key}</svg>{text}</li>\n")
}

fn name(colour: RGBColor) -> String {
    let RGBColor(red, green, blue) = colour;
    format!("#{red:02X}{green:02X}{blue:02X}")
}
