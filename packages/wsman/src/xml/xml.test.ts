import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute, child, parseXml, XmlReader } from './reader.js';
import { checkName, element, text } from './writer.js';

describe('XmlReader', () => {
  it('resolves namespaces and keeps text and attributes', () => {
    const root = parseXml(
      '<a:r xmlns:a="urn:a" xmlns="urn:d" a:x="1" y="&lt;2"><c>t<![CDATA[<&>]]>&#x41;</c></a:r>',
    );
    expect(root).toMatchObject({ uri: 'urn:a', local: 'r' });
    expect(attribute(root, 'urn:a', 'x')).toBe('1');
    expect(attribute(root, '', 'y')).toBe('<2');
    expect(root.attributes).toHaveLength(2);
    expect(child(root, 'urn:d', 'c')?.text).toBe('t<&>A');
  });

  it('accepts a declaration, a byte order mark and comments', () => {
    const root = parseXml('\ufeff<?xml version="1.0" encoding="utf-8"?><!-- c --><r>a<!-- c -->b</r>');
    expect(root.text).toBe('ab');
  });

  it('takes bytes cut anywhere, inside a character too', () => {
    const bytes = Buffer.from('<r a="ü">日本語 &amp; ascii</r>', 'utf8');
    const reader = new XmlReader();
    for (const byte of bytes) reader.write(Uint8Array.of(byte));
    expect(reader.end()).toMatchObject({ text: '日本語 & ascii' });
  });

  it('reads UTF-16', () => {
    const reader = new XmlReader({}, 'utf-16le');
    reader.write(Buffer.from('<r>é</r>', 'utf16le'));
    expect(reader.end().text).toBe('é');
  });

  it.each([
    ['a document type', '<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'],
    ['an entity that is not XML’s own', '<r>&nbsp;</r>'],
    ['a processing instruction', '<?php x?><r/>'],
    ['an unbound prefix', '<x:r/>'],
    ['a null character', '<r>&#0;</r>'],
    ['two roots', '<r/><r/>'],
    ['nothing', ''],
    ['an unclosed tag', '<r><b></r>'],
  ])('refuses %s', (_, document) => {
    expect(() => parseXml(document)).toThrow(expect.objectContaining({ code: 'WSMAN_XML_MALFORMED' }));
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parseXml(Uint8Array.of(0x3c, 0x72, 0x3e, 0xff, 0xfe))).toThrow(
      expect.objectContaining({ code: 'WSMAN_XML_MALFORMED' }),
    );
  });

  it.each([
    ['depth', '<a>'.repeat(65)],
    ['attributes', `<a ${Array.from({ length: 65 }, (_, i) => `a${i}=""`).join(' ')}/>`],
    ['bytes', `<a>${'x'.repeat(2000)}</a>`],
    ['text', `<a>${'x'.repeat(600)}</a>`],
  ])('stops at its limit of %s', (_, document) => {
    expect(() => parseXml(document, { maxBytes: 1500, maxText: 500 })).toThrow(
      expect.objectContaining({ code: 'WSMAN_XML_LIMIT' }),
    );
  });

  it('ends quickly on 200,000 nested tags', () => {
    const started = performance.now();
    expect(() => parseXml('<a>'.repeat(200_000))).toThrow(/deeper/u);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

const xmlText = fc
  .string({ unit: 'grapheme' })
  .filter((value) => !/[^\P{Cc}\t\n\r\u007f-\u009f]|[\ufffe\uffff]|\p{Surrogate}/u.test(value));

describe('writer', () => {
  it('writes what the reader reads back', () => {
    fc.assert(
      fc.property(xmlText, xmlText, (content, value) => {
        const root = parseXml(element('r', { a: value }, text(content)));
        expect(root.text).toBe(content);
        expect(attribute(root, '', 'a')).toBe(value);
      }),
    );
  });

  it.each(['\u0000', '\u001b', '\ud800', '\uffff'])('refuses %j', (value) => {
    expect(() => text(value)).toThrow(expect.objectContaining({ code: 'WSMAN_XML_UNENCODABLE' }));
    expect(() => element('a', { b: value })).toThrow(
      expect.objectContaining({ code: 'WSMAN_XML_UNENCODABLE' }),
    );
  });

  it('refuses names that would break out of a tag', () => {
    expect(checkName('Msvm_ComputerSystem')).toBe('Msvm_ComputerSystem');
    expect(() => checkName('a b')).toThrow();
    expect(() => checkName('a><x')).toThrow();
  });
});

describe('mutated documents', () => {
  it('never crash the reader', () => {
    const document = Buffer.from('<s:E xmlns:s="urn:s"><s:B a="1"><![CDATA[x]]>&amp;<c/></s:B></s:E>');
    fc.assert(
      fc.property(fc.nat(document.length - 1), fc.nat(255), fc.nat(document.length), (at, byte, cut) => {
        const changed = Buffer.from(document);
        changed[at] = byte;
        try {
          parseXml(changed.subarray(0, cut));
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^WSMAN_XML_/u) });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
