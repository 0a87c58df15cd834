/**
 * A 40×40 JPEG of a disc on a noisy ground, with chroma subsampling. It is small, and every stage of decoding and
 * resizing changes it.
 */
export const probeJpeg: Buffer = Buffer.from(
  [
    '/9j/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/',
    '2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wAAR',
    'CAAoACgDASIAAhEBAxEB/8QAGgAAAgMBAQAAAAAAAAAAAAAAAAUEBgcBAv/EACwQAAEDAwIDCAIDAAAAAAAAAAEAAgMEESEF',
    'MRJBUQYUIjJhgbHwE9Gy4fH/xAAZAQACAwEAAAAAAAAAAAAAAAAFBgIEBwP/xAArEQABAwIEBAUFAAAAAAAAAAABAgMRAAQF',
    'EiFRMWFxgRMUocHwIkGx4fH/2gAMAwEAAhEDEQA/AMypB4W3aN9gm1JHxW6HochLaFoLWE5BOOoVo0uic6nEhvY4FjvbCCJY',
    'aS14zvChmC2y7t0NN9zsK9U0JLBzFsgJvS0XHYWb9Oyg9w9FNoxPEWsErwzlnbFh7eiiw5YKOVbZ5QRx9KfkYabdMocntHua',
    'bxUjWRh0nCxpxc+/6QuxU8UTR+U8F7EDmEK8bJhJhTTaTspYn2/FGbZZycTWWac27W3sPgey0ns9Stm0iBzbHcEdMnCznSA4',
    'lgGCcYBHsrZ2f1ifT66ZrQZqfymFxt4hzBsbZ59Pa3e8sFv4UhLWqyoQN9DPzeKybArvyr5UeBEeoq19w9F5kouBjnbEDB2y',
    'pEfaTTpJ3RNhqS4c+Ftv5KFqGrd8kMFI1zGA2c79/cfCra4ddqcBdQUpBg7zsNz/AEwKd2rwumE0UoigcQB4ybEDKF2nAjex',
    'rG8chO3IBCZygtnIn6I+yUhUciSNTvEdKPNEZBNZfpIDGCQjbxYN/uya6e4wwGQXuwWPToDZCEctzDDahxShah1j9CscsdT3',
    'FMqVroKdrmhrXnDT1Tamb3dkbWC8hINzyHI/KEKm6PCICNMuUDlmgkjmd+m1OuHmYmmVK0Afih81zxG/l/vf/UIQpWOHtXaV',
    'FcgJJAAMAAfNab2VEJEV/9k=',
  ].join(''),
  'base64',
);

/** A 9×9 PNG of noise whose pixels are transparent to different degrees. */
export const probePng: Buffer = Buffer.from(
  [
    'iVBORw0KGgoAAAANSUhEUgAAAAkAAAAJCAYAAADgkQYQAAAACXBIWXMAAAPoAAAD6AG1e1JrAAABJklEQVQY02NgMFiVV3OlLGmG',
    'xKNvIX/eaW1omPVvzZJnRR4Zl9pazsRZJVzo6mO4UxLW9GPHIbEtc855CShUyfG4HJu0gmPTsic5dlEHCrLW2YiYLWKIiFhkJmKz',
    'LqvgQJRdzpNlmzhWTDrmwiNXpSDgdW7OFrFDO340hTGU3OnrupBgFXempe1ShkfRsyVr/s1q2KD17k/It0cSM5LKrtTkrWIwYJCq',
    '01FJ+3TiRRAbi8+9XQ8CuPhivlxjqrBwmmYi43dqwoJf8xh6jrgJaXQYqaW82XfL4cMrvT1TtinduKG0bcoevVcfHG7te5OiZsTQ',
    'oSHkdqRn3q8FE075yZhMc7KoYLr2JYaPK+DBrns+LGxBL058SmNQ0amTIhQMDKBwIBQMABVVosm3HqiPAAAAAElFTkSuQmCC',
  ].join(''),
  'base64',
);
