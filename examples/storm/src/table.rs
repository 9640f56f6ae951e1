//! A table, in Markdown and in HTML.

#[derive(Debug)]
pub struct Table {
    /// A description of the cells.
    pub caption: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
pub struct Cell {
    pub text: String,
    pub mark: Option<Mark>,
}

/// A bad result, which the page highlights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The service never recovers.
    Never,
    /// The service recovers later than without retries, or whatever the run is compared with.
    Later,
}

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            mark: None,
        }
    }

    fn to_html(&self) -> String {
        let text = &self.text;
        match self.mark {
            None => format!("<td>{text}</td>"),
            Some(mark) => format!("<td class=\"{}\">{text}</td>", mark.class()),
        }
    }
}

impl Mark {
    /// Returns the class in the style of the page.
    pub fn class(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Later => "later",
        }
    }
}

impl Table {
    /// Formats the table in Markdown. The columns are aligned, so that it is legible as plain text, too.
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

    /// Formats the table in HTML. It scrolls inside a box. Rows whose first cells are equal are grouped under
    /// that text, so that the first column, which does not scroll, is narrow.
    pub fn to_html(&self) -> String {
        let is_grouped = self.is_grouped();
        let hidden = usize::from(is_grouped);
        let caption = &self.caption;
        let head = self.head.iter().skip(hidden);
        let head = head.map(|cell| format!("<th scope=\"col\">{cell}</th>"));
        let mut text = format!(
            "<figure>\n<figcaption>{caption}</figcaption>\n\
             <div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n\
             <table>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
            head.collect::<String>()
        );
        let mut group = None;
        for row in &self.rows {
            let first = &row[0].text;
            if is_grouped && group.replace(first) != Some(first) {
                let columns = self.head.len() - hidden;
                text += &format!(
                    "<tr><th scope=\"rowgroup\" colspan=\"{columns}\"><span>{first}</span></th></tr>\n"
                );
            }
            text += &row_html(&row[hidden..]);
        }
        text + "</tbody>\n</table>\n</div>\n</figure>\n"
    }

    fn is_grouped(&self) -> bool {
        let mut pairs = self.rows.windows(2);
        pairs.any(|pair| pair[0][0].text == pair[1][0].text)
    }
}

fn row_html(row: &[Cell]) -> String {
    let name = &row[0].text;
    let cells = row[1..].iter().map(Cell::to_html);
    let cells = cells.collect::<String>();
    format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>\n")
}
