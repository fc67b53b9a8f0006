/** The mails of the fake mailbox, as they would have come in by SMTP. */

export interface SeedMail {
  readonly id: string;
  readonly threadId: string;
  readonly labelIds: readonly string[];
  readonly raw: Buffer;
}

const base64 = (bytes: Buffer | string): string =>
  Buffer.from(bytes as string)
    .toString('base64')
    .replaceAll(/.{76}/g, '$&\r\n');

const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');

function mail(id: string, threadId: string, lines: readonly string[], labelIds: readonly string[] = ['INBOX']) {
  return { id, threadId, labelIds, raw: Buffer.from(lines.join('\r\n'), 'latin1') };
}

const plain = (id: string, threadId: string, subject: string, body: string, extra: readonly string[] = []) =>
  mail(id, threadId, [
    'From: Anna Example <anna@example.com>',
    'To: me@example.com',
    `Subject: ${subject}`,
    `Message-ID: <${id}@example.com>`,
    ...extra,
    'Content-Type: text/plain; charset=utf-8',
    '',
    body,
  ]);

const conversation: SeedMail[] = [
  { ...plain('a001', 'a001', 'Lunch & more', 'Shall we have lunch?'), labelIds: ['INBOX', 'UNREAD'] },
  plain('a002', 'a001', 'Re: Lunch & more', 'Yes, on Friday.', ['References: <a001@example.com>']),
  mail('a003', 'a001', [
    'From: Bob <bob@example.com>',
    'Reply-To: "Bob, at work" <bob@work.example.com>',
    'To: me@example.com, anna@example.com',
    'Subject: Re: Lunch & more',
    'Message-ID: <a003@example.com>',
    'References: <a001@example.com> <a002@example.com>',
    '',
    'I come too.',
  ]),
];

const formatted = mail('b001', 'b001', [
  'From: shop@example.com',
  'To: me@example.com',
  'Subject: Your order',
  'Message-ID: <b001@example.com>',
  'Content-Type: multipart/mixed; boundary="outer"',
  '',
  '--outer',
  'Content-Type: multipart/alternative; boundary="inner"',
  '',
  '--inner',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'The plain text.',
  '--inner',
  'Content-Type: text/html; charset=utf-8',
  '',
  '<p>The <b>HTML</b> text.</p>',
  '--inner--',
  '--outer',
  'Content-Type: text/csv; charset=iso-8859-1; name="prices.csv"',
  'Content-Disposition: attachment; filename="prices.csv"',
  'Content-Transfer-Encoding: base64',
  '',
  base64(Buffer.from('article;price\ncaf\u00e9;3,50\n', 'latin1')),
  '--outer',
  'Content-Type: application/octet-stream; name="logo.png"',
  'Content-Disposition: inline; filename="logo.png"',
  'Content-Transfer-Encoding: base64',
  '',
  base64(png),
  '--outer',
  'Content-Type: application/pdf; name="bill.pdf"',
  'Content-Disposition: attachment; filename="bill.pdf"',
  'Content-Transfer-Encoding: base64',
  '',
  base64('%PDF-1.7\0small'),
  '--outer',
  'Content-Type: application/zip; name="huge.zip"',
  'Content-Disposition: attachment; filename="huge.zip"',
  'Content-Transfer-Encoding: base64',
  '',
  base64(Buffer.alloc(600 * 1024, 7)),
  '--outer',
  'Content-Type: message/rfc822',
  'Content-Disposition: attachment; filename="forwarded.eml"',
  '',
  'From: carol@example.com',
  'Subject: Within',
  '',
  'Text of a forwarded mail.',
  '--outer--',
]);

const htmlOnly = mail('c001', 'c001', [
  'From: news@example.com',
  'To: me@example.com',
  'Subject: Newsletter in HTML',
  'Content-Type: text/html; charset="windows-1252"',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  '<html><head><style>p { color: red }</style><title>x</title></head><body><h1>News</h1>',
  '<p>Price: 5 =80</p><script>alert(1)</script><a href=3D"https://example.com/a">Read=',
  ' on</a><img src=3D"https://example.com/pixel.gif"></body></html>',
]);

const latin = mail('d001', 'd001', [
  'From: =?iso-8859-1?Q?Andr=E9_Dupont?= <andre@example.com>',
  'To: me@example.com',
  'Subject: =?UTF-8?B?R3LDvMOf?= =?UTF-8?B?ZSBhdXMgS8O2bG4=?=',
  'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: 8bit',
  '',
  'O\u00f9 est le caf\u00e9 ?',
]);

const japanese = mail('d002', 'd002', [
  'From: ken@example.com',
  'Subject: JIS',
  'Content-Type: text/plain; charset=iso-2022-jp',
  '',
  '\u001b$B$3$s$K$A$O\u001b(B',
]);

const crowd = mail('d004', 'd004', [
  'From: list@example.com',
  `Reply-To: ${Array.from({ length: 150 }, (_, index) => `member${index}@example.com`).join(',\r\n ')}`,
  'Subject: Everybody',
  '',
  'Please answer.',
]);

/** Text over this comes apart from its message, as with Gmail. */
export const longBody = `${'0123456789'.repeat(25_000)}the end`;

const longThread = Array.from({ length: 12 }, (_, index) =>
  plain(`f0${10 + index}`, 'f010', `Long ${index + 1}`, `Part ${index + 1}: ${'word '.repeat(4000)}`),
);

const many = Array.from({ length: 30 }, (_, index) =>
  plain(`e0${10 + index}`, `e0${10 + index}`, `Report ${index + 1}`, `Numbers of day ${index + 1}`),
);

export const seedMails: readonly SeedMail[] = [
  ...many,
  ...longThread,
  plain('d003', 'd003', 'A long text', longBody),
  crowd,
  japanese,
  latin,
  htmlOnly,
  formatted,
  ...conversation,
];
