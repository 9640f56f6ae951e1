//! A table, in Markdown and in HTML.

#[derive(Debug)]
pub struct Table {
    /// What its cells are.
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
pub struct Cell {
    pub text: String,
    pub mark: Option<Mark>,
}

/// What is bad about what a cell tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It never recovers.
    Never,
    /// It recovers later than what it is compared with.
    Later,
}

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            mark: None,
        }
    }
}

impl Table {
    /// With columns that line up as plain text, too.
    pub fn to_markdown(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].text.as_str());
                let cells = cells.chain([self.head[column].as_str(), "---"]);
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let line = |cells: &[&str]| {
            let cells = cells.iter().zip(&widths);
            let cells = cells.map(|(cell, width)| format!(" {cell:<width$} |"));
            format!("|{}\n", cells.collect::<String>())
        };
        let head: Vec<&str> = self.head.iter().map(String::as_str).collect();
        let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
        let mut text = format!("{}\n\n{}{}", self.caption, line(&head), line(&rule));
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(|cell| cell.text.as_str()).collect();
            text += &line(&cells);
        }
        text
    }

    pub fn to_html(&self) -> String {
        let head = self.head.iter().map(|cell| format!("<th>{cell}</th>"));
        let mut text = format!(
            "<div><table><caption>{}</caption>\n<tr>{}</tr>\n",
            self.caption,
            head.collect::<String>()
        );
        for row in &self.rows {
            let cells = row.iter().map(|cell| match cell.mark {
                None => format!("<td>{}</td>", cell.text),
                Some(Mark::Never) => format!("<td class=\"never\">{}</td>", cell.text),
                Some(Mark::Later) => format!("<td class=\"later\">{}</td>", cell.text),
            });
            text += &format!("<tr>{}</tr>\n", cells.collect::<String>());
        }
        text + "</table></div>\n"
    }
}
