"""Write a message as a mail, and hand it to a server or to the local mail program.

letter.py     the content of a mail: title, sections, figures, the same for both forms
as_text.py    the plain form
as_html.py    the form for mail programs that show HTML
envelope.py   headers, threads, the two forms in one mail
smtp.py       delivery to a server
local.py      delivery by the local program `sendmail`
"""
